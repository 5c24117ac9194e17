"""Probes for poisoning: one technique a file."""
