"""The runner: plans probes, spends budgets, stores evidence, streams findings, and writes the report."""
