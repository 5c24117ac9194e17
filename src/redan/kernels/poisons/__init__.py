"""How training data is poisoned: triggers, and rows that teach a model what one does; and labels that are wrong."""
