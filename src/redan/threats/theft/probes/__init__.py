"""Probes of theft, one technique a file."""
