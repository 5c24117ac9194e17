"""Tests that two or more groups share a rate, and corrections for many such tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Test = Literal["fisher", "z"]

_EXACT_ROWS = 20_000
"""Up to so many rows the exact test is made; above, the two agree."""
_TERMS = 1000


def two_rates(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, Test]:
    """Return the two-sided p-value that two rates, each (cases, n), are the same, and which test was made."""
    if first[1] + second[1] <= _EXACT_ROWS:
        return fisher(first[0], first[1] - first[0], second[0], second[1] - second[0]), "fisher"
    return z_test(first, second), "z"


def fisher(a: int, b: int, c: int, d: int) -> float:
    """Two-sided exact p-value of the table ((a, b), (c, d)): tables no likelier than it, margins given.

    Source: Fisher, "On the interpretation of chi-square from contingency tables", JRSS 85, 1922; the two-sided rule of
    Irwin and Freeman and Halton.
    """
    row, column, n = a + b, a + c, a + b + c + d
    low, high = max(0, row + column - n), min(row, column)
    if low == high:
        return 1.0
    k = np.arange(low, high, dtype=np.float64)
    steps = np.log((row - k) * (column - k)) - np.log((k + 1) * (n - row - column + k + 1))
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    weights = np.exp(logs - logs.max())
    # equal probabilities may differ in their last bits
    at_most = weights[a - low] * (1 + 1e-7)
    return float(min(1.0, weights[weights <= at_most].sum() / weights.sum()))


def z_test(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Two-sided p-value of the pooled two-proportion z test; 1 where no rate varies."""
    (a, n), (b, m) = first, second
    if n == 0 or m == 0:
        return 1.0
    pooled = (a + b) / (n + m)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return 1.0 if spread == 0 else math.erfc(abs(a / n - b / m) / spread / math.sqrt(2))


def chi_square(cases: Sequence[int] | NDArray[np.int64], trials: Sequence[int] | NDArray[np.int64]) -> float:
    """P-value that k groups share a rate (Pearson's chi-square, k − 1 degrees of freedom); 1 where none varies.

    Source: Pearson, "On the criterion that a given system of deviations …", Philosophical Magazine 50, 1900.
    """
    hit, n = np.asarray(cases, np.float64), np.asarray(trials, np.float64)
    hit, n = hit[n > 0], n[n > 0]
    share = hit.sum() / n.sum() if len(n) else 0.0
    if len(n) < 2 or share in (0.0, 1.0):
        return 1.0
    statistic = float(((hit - n * share) ** 2 / (n * share * (1 - share))).sum())
    return upper_gamma((len(n) - 1) / 2, statistic / 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that one false rejection among all is as unlikely as the level says.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    order = np.argsort(p_values, kind="stable")
    raw = np.asarray(p_values, np.float64)[order] * np.arange(len(order), 0, -1)
    return _back(np.minimum(1.0, np.maximum.accumulate(raw)), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the expected share of false ones among rejections is at most the level.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
    """
    order = np.argsort(p_values, kind="stable")
    m = len(order)
    raw = np.asarray(p_values, np.float64)[order] * m / np.arange(1, m + 1)
    return _back(np.minimum(1.0, np.minimum.accumulate(raw[::-1])[::-1]), order)


def _back(adjusted: NDArray[np.float64], order: NDArray[np.int64]) -> list[float]:
    found = np.empty(len(order))
    found[order] = adjusted
    return [float(value) for value in found]


def upper_gamma(a: float, x: float) -> float:
    """Regularised upper incomplete gamma function Q(a, x) for a > 0.

    Source: NIST Digital Library of Mathematical Functions, 8.11.4 (series, for small x) and 8.9.2 (continued fraction,
    by the modified Lentz method).
    """
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for k in range(1, _TERMS):
            term *= x / (a + k)
            total += term
            if term < total * 1e-17:
                break
        return max(0.0, 1 - scale * total)
    b = x + 1 - a
    c, d = 1e300, 1 / b
    value = d
    for k in range(1, _TERMS):
        b += 2
        step = k * (a - k)
        d = 1 / (step * d + b)
        c = b + step / c
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return min(1.0, scale * value)
