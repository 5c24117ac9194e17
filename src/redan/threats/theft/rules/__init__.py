"""Kinds of findings of theft that no probe of its own makes."""
