"""Data sets as evidence: signed manifests, Croissant, schemas, and rows that break them."""
