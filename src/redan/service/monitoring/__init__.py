"""What is measured while it runs: metrics, traces, health, alerts."""
