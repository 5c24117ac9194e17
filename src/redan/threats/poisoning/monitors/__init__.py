"""Monitors of arriving training data: one technique a file."""
