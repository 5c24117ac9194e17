"""Probes that read what a model is made of, one technique a file."""
