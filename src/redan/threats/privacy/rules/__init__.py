"""Kinds of findings of privacy that no probe of its own makes."""
