"""Adversarial patches: one picture that is stuck somewhere on every image."""
