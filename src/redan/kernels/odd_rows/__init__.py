"""Rows that stand out in a data set: the same row twice, nearly the same row, rows far from all others."""
