"""How well rows hide among each other: k-anonymity, l-diversity, t-closeness, and the way to a k that is asked for."""

from redan.kernels.anonymity.classes import class_sizes, classes, codes_of, small_rows
from redan.kernels.anonymity.closeness import closeness
from redan.kernels.anonymity.diversity import Diversity, diversity
from redan.kernels.anonymity.reaching import Reached, reach

__all__ = [
    "Diversity",
    "Reached",
    "class_sizes",
    "classes",
    "closeness",
    "codes_of",
    "diversity",
    "reach",
    "small_rows",
]
