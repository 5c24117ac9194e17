"""Models between being made and being served: versions, transitions, pipelines."""
