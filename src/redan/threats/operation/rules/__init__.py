"""Kinds of findings of operation that no monitor of its own makes."""
