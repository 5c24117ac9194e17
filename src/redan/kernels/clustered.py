"""Intervals for rates whose answers come in groups: many questions about one input are not many inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.statistics import CONFIDENCE, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over inputs with the ends of its interval.

    Attributes:
        value: the mean.
        low: lower end.
        high: upper end.
        n: how many inputs it rests on; not how many questions were asked.
    """

    value: float
    low: float
    high: float
    n: int


def share(each: NDArray[Any], confidence: float = CONFIDENCE) -> Estimate:
    """Score interval of a mean of shares, one for each input, which may themselves be means of many answers.

    The answers about one input depend on each other, so the sample size is the number n of inputs times a design
    effect: the variance of a yes-or-no answer over the variance that the inputs' shares really have. Shares that are
    all equal say nothing about their spread; the interval is then that of n yes-or-no answers.

    Args:
        each: (n,) shares within [0, 1].
        confidence: two-sided.

    Source: Kish, "Survey sampling", 1965, section 8.2 (effective sample size), in the interval of Wilson 1927 as
    Dean and Pagano, "Evaluating confidence interval methods for binomial proportions in clustered surveys", Journal
    of Survey Statistics and Methodology 3, 2015, recommend; the smaller degrees of freedom by Korn and Graubard,
    Survey Methodology 24, 1998.

    Raises:
        ValueError: a share lies outside of [0, 1].
    """
    values = np.asarray(each, np.float64)
    n = len(values)
    if n == 0:
        return Estimate(value=float("nan"), low=0.0, high=1.0, n=0)
    if values.min() < 0 or values.max() > 1:
        msg = f"shares must lie within [0, 1], got {values.min():g} to {values.max():g}"
        raise ValueError(msg)
    mean = math.fsum(values) / n
    z = normal_quantile((1 + confidence) / 2)
    size = _effective(values, mean, z)
    centre = (mean + z * z / (2 * size)) / (1 + z * z / size)
    spread = z * math.sqrt(mean * (1 - mean) / size + z * z / (4 * size * size)) / (1 + z * z / size)
    low = 0.0 if mean == 0 else max(0.0, centre - spread)
    high = 1.0 if mean == 1 else min(1.0, centre + spread)
    return Estimate(value=mean, low=min(low, mean), high=max(high, mean), n=n)


def _effective(values: NDArray[np.float64], mean: float, z: float) -> float:
    """Return how many independent yes-or-no answers would be as precise; never fewer than there are inputs."""
    n = len(values)
    variance = math.fsum((values - mean) ** 2) / (n - 1) if n > 1 else 0.0
    if variance <= 0:
        return float(n)
    # an expansion of the quantile of Student's t at n - 1 degrees of freedom, relative to the normal one
    wider = 1 + (z * z + 1) / (4 * (n - 1))
    return float(max(mean * (1 - mean) / variance * n / wider**2, n / wider**2))


def paired(first: NDArray[Any], second: NDArray[Any], confidence: float = CONFIDENCE) -> Estimate:
    """Mean of first minus second over the same inputs, with its interval.

    Args:
        first: (n,) shares within [0, 1].
        second: (n,) shares of the same inputs in the same order.
        confidence: two-sided.

    Raises:
        ValueError: a share lies outside of [0, 1].
    """
    half = share((np.asarray(first, np.float64) - np.asarray(second, np.float64) + 1) / 2, confidence)
    return Estimate(value=2 * half.value - 1, low=2 * half.low - 1, high=2 * half.high - 1, n=half.n)
