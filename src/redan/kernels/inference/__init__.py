"""Membership inference as arithmetic: what models said of the true class of each record in, scores of records out."""
