"""Answers about a column under differential privacy: what may be asked, and the noise that OpenDP draws for it."""
