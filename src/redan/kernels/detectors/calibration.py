"""Thresholds for a false-alarm rate that the user sets, and what n benign rows can guarantee.

With the threshold at the (k + 1)-th largest of n benign scores, the true false-alarm rate is at most Beta(k + 1, n - k)
distributed (Wilks 1941, "Determination of sample sizes for setting tolerance limits", section 2), so its upper 97.5 %
quantile is the upper end of the Clopper-Pearson interval of k alarms in n: the same number is measured and guaranteed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import ShapeMismatch, UsageError
from redan.kernels.statistics import CONFIDENCE, clopper_pearson

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A threshold and how often benign rows exceed it.

    Attributes:
        threshold: an alarm is a score above it.
        asked_rate: false-alarm rate that the user set.
        alarms: benign rows above the threshold.
        n: benign rows.
    """

    threshold: float
    asked_rate: float
    alarms: int
    n: int

    @property
    def rate(self) -> float:
        """Share of benign rows above the threshold."""
        return self.alarms / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson 95 % interval of the false-alarm rate; the upper end is what is guaranteed."""
        return _interval(self.alarms, self.n)


@lru_cache(maxsize=256)
def _interval(alarms: int, n: int) -> tuple[float, float]:
    # thousands of bisections, asked for at every request
    return clopper_pearson(alarms, n)


def least_rate(n: int) -> float:
    """Return the lowest false-alarm rate that n benign rows can guarantee: what no alarm among them bounds."""
    return clopper_pearson(0, n)[1]


def rows_needed(rate: float) -> int:
    """Return how many benign rows the guarantee of a rate needs.

    Raises:
        UsageError: the rate is not within (0, 1).
    """
    if not 0 < rate < 1:
        raise UsageError(f"a false-alarm rate lies between 0 and 1, got {rate:g}")
    return math.ceil(math.log((1 - CONFIDENCE) / 2) / math.log1p(-rate))


def calibrate(scores: NDArray[np.floating], rate: float) -> Calibration:
    """Choose the lowest threshold whose false-alarm rate is at most `rate`, at 97.5 % over the draw of the rows.

    Args:
        scores: of benign rows that the detector was not fitted on, higher is more suspicious, shape (n,).
        rate: false-alarm rate to guarantee.

    Raises:
        UsageError: the rows cannot guarantee that rate.
        ShapeMismatch: a score is NaN.
    """
    ordered = _ordered(scores, rate)
    n = len(ordered)
    # most alarms that still bound the rate; the bound grows with them
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _interval(middle, n)[1] <= rate else (low, middle)
    threshold = float(ordered[n - 1 - low])
    return Calibration(threshold=threshold, asked_rate=rate, alarms=int((ordered > threshold).sum()), n=n)


def judge(scores: NDArray[np.floating], threshold: float, rate: float) -> Calibration:
    """Hold a threshold that is given against benign rows.

    Raises:
        UsageError: the rows cannot guarantee that rate, or too many of them are above the threshold.
        ShapeMismatch: a score is NaN.
    """
    ordered = _ordered(scores, rate)
    found = Calibration(threshold=threshold, asked_rate=rate, alarms=int((ordered > threshold).sum()), n=len(ordered))
    if found.interval[1] > rate:
        raise UsageError(
            f"{found.alarms} of {found.n} benign rows raise an alarm, which bounds the rate by {found.interval[1]:.3g};"
            f" asked for {rate:g}",
            hint="learn the detector from data like the benign rows, or ask for a higher rate",
        )
    return found


def _ordered(scores: NDArray[np.floating], rate: float) -> NDArray[np.float64]:
    needed, ordered = rows_needed(rate), np.sort(np.asarray(scores, dtype=np.float64).reshape(-1))
    if len(ordered) < needed:
        least = f"; {len(ordered)} can guarantee {least_rate(len(ordered)):.3g}" if len(ordered) else ""
        raise UsageError(
            f"a false-alarm rate of {rate:g} needs {needed} benign rows that the detector was not fitted on,"
            f" got {len(ordered)}{least}",
            hint="give more calibration rows, or ask for a higher rate",
        )
    if bool(np.isnan(ordered).any()):
        raise ShapeMismatch(f"{int(np.isnan(ordered).sum())} of {len(ordered)} benign rows have no score")
    return ordered
