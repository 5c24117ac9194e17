"""Transformations of inputs in front of a model, differentiable: (n, …) in, the same shape out."""
