"""Kinds of findings of poisoning that no probe of its own makes."""
