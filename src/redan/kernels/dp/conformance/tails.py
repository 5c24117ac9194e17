"""Tail probabilities of the statistics that the checks compute."""

from __future__ import annotations

import math


def below(z: float) -> float:
    """Return the probability that a standard normal number is at most z."""
    return math.erfc(-z / math.sqrt(2)) / 2


def two_sided(z: float) -> float:
    """Return the probability that a standard normal number is at least as far from 0."""
    return math.erfc(abs(z) / math.sqrt(2))


def squares(total: float, n: int, excess: float = 0.0) -> float:
    """Return a sum of n squares of standardised numbers as a standard normal number.

    Args:
        total: the sum, n on average.
        n: how many.
        excess: excess kurtosis of the numbers: 0 for normal ones.

    Source: Wilson & Hilferty 1931, the cube root, with degrees of freedom that match the variance n (2 + excess).
    """
    freedom = 2 * n / (2 + excess)
    spread = 2 / (9 * freedom)
    return float(((total / n) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))
