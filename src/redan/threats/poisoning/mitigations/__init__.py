"""Mitigations of poisoning: one technique a file."""
