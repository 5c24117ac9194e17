"""Decision trees as boxes: reading fitted ensembles, nearest misclassified points, and bounds below them."""
