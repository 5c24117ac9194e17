"""Tail probabilities and the correction for many tests, on the standard library alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

_TERMS = 500


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false alarm among them stays below the level they are compared with.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def kolmogorov(distance: float, n_1: int, n_2: int) -> float:
    """P-value of a two-sample Kolmogorov-Smirnov distance; too large (never too small) where values repeat.

    Source: Stephens, "Use of the Kolmogorov-Smirnov, Cramér-von Mises and related statistics without extensive
    tables", JRSS B 32, 1970, for the correction of small samples.
    """
    root = math.sqrt(n_1 * n_2 / (n_1 + n_2))
    t = (root + 0.12 + 0.11 / root) * distance
    if t < 0.3:
        return 1.0
    terms = [(2 if k % 2 else -2) * math.exp(-2 * k * k * t * t) for k in range(1, 101)]
    return min(1.0, max(0.0, math.fsum(terms)))


def chi_square(statistic: float, freedom: int) -> float:
    """P-value of a chi-square statistic with at least one degree of freedom.

    Source: NIST Digital Library of Mathematical Functions, 8.7.1 (series) and 8.9.2 (continued fraction) of the
    incomplete gamma function.
    """
    a, x = freedom / 2, statistic / 2
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for k in range(1, _TERMS * (1 + int(math.sqrt(a)))):
            term *= x / (a + k)
            total += term
            if term < total * 1e-16:
                break
        return min(1.0, max(0.0, 1 - total * scale))
    return min(1.0, scale * _upper_fraction(a, x))


def normal(z: float) -> float:
    """Probability that a standard normal variable exceeds z."""
    return math.erfc(z / math.sqrt(2)) / 2


def _upper_fraction(a: float, x: float) -> float:
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for k in range(1, _TERMS * (1 + int(math.sqrt(a)))):
        step = -k * (k - a)
        b += 2
        d = 1 / (step * d + b or tiny)
        c = b + step / c or tiny
        change = c * d
        value *= change
        if abs(change - 1) < 1e-15:
            break
    return value
