"""How far two samples lie apart: effect sizes with intervals, p-values, and a classifier that tells them apart."""
