"""Labels that are probably wrong, from probabilities of models that have not seen the row (confident learning)."""
