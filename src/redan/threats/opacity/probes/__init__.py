"""Probes of opacity, one technique a file."""
