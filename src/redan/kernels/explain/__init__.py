"""Which parts of an input made a model answer as it did, how far that can be believed, and simpler models beside it."""
