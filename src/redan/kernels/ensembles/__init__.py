"""Several networks that answer as one, and how they are trained together."""
