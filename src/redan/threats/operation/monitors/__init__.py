"""Monitors of a model at work."""
