"""Backdoors found after the fact: in the rows (activations, spectrum) and in the weights (trigger inversion)."""
