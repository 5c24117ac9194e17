"""Server-rendered pages over everything else."""
