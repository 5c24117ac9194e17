"""Predicates of our own: what statements of each type say, as records that are read strictly."""
