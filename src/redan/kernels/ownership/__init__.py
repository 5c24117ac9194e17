"""Whose model is it: secrets put into a model or read from it, and how surprising a match is."""
