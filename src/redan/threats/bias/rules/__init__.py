"""Kinds of findings of bias that no probe of its own makes."""
