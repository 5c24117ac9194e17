"""Success on rows that were learnt from, against success on rows that were not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from redan.kernels.statistics import CONFIDENCE, difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What an attack gains from rows having been learnt from.

    Attributes:
        value: (rate on the original − rate on the control) / (1 − rate on the control).
        low: lower end of its interval.
        high: upper end.
        p: one-sided probability of such a gain by chance.
    """

    value: float
    low: float
    high: float
    p: float


def risk(original: tuple[int, int], control: tuple[int, int], confidence: float = CONFIDENCE) -> Risk:
    """Compare two counts of (successes, targets), where targets were drawn independently.

    Args:
        original: on rows that the synthetic data were learnt from.
        control: on rows of the same population that they were not.
        confidence: of the interval.

    Source: Giomi et al. 2023, "A unified framework for quantifying privacy risk in synthetic data", equation 2; the
    interval of the difference by Newcombe, the probability by Fisher's exact test.
    """
    gap = difference(control, original, confidence)
    rest = max(1 - control[0] / control[1], 1 / control[1])
    return Risk(value=gap.value / rest, low=gap.low / rest, high=gap.high / rest, p=fisher(original, control))


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the probability that the first count is as large or larger, all successes being dealt at random."""
    (k, n), (other, m) = first, second
    total = k + other

    def logarithm(hits: int) -> float:
        return _choose(n, hits) + _choose(m, total - hits) - _choose(n + m, total)

    return min(1.0, math.fsum(math.exp(logarithm(hits)) for hits in range(k, min(n, total) + 1)))


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) if 0 <= k <= n else -math.inf
