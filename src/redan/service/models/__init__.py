"""What is served: admission by statements, loading, versions, canary, shadow, rollback."""
