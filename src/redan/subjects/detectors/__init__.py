"""Detectors in front of a model: what they see of it, what their files say, and how they are opened."""
