"""Numbers that a model answered (a price, a risk, a wage), compared between groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Means:
    """The mean of something in each of g groups.

    Attributes:
        n: (g,) rows.
        mean: (g,) NaN of an empty group.
        error: (g,) standard error of the mean.
        spread: standard deviation within groups, pooled; 0 where no group varies.
    """

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    spread: float


def means(values: NDArray[np.float64], groups: NDArray[Any], n_groups: int) -> Means:
    """Return the means of finite numbers (n,) by group (n,)."""
    n = np.bincount(groups, minlength=n_groups)
    total = np.bincount(groups, weights=values, minlength=n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        squares = np.bincount(groups, weights=(values - mean[groups]) ** 2, minlength=n_groups)
        error = np.sqrt(squares / (n - 1) / n)
    free = int((np.maximum(n, 1) - 1).sum())
    return Means(n=n, mean=mean, error=error, spread=math.sqrt(float(squares.sum()) / free) if free else 0.0)


def gap(found: Means, chosen: NDArray[np.bool_]) -> float:
    """Return the largest difference of means between chosen groups, in standard deviations within groups.

    Source: Cohen, "Statistical power analysis for the behavioral sciences", 1988, section 2.2 (d), for the pair that
    lies furthest apart.
    """
    if int(chosen.sum()) < 2:
        return math.nan
    apart = float(np.ptp(found.mean[chosen]))
    return apart / found.spread if found.spread > 0 else (math.inf if apart > 0 else 0.0)


def gap_resamples(
    found: Means, chosen: NDArray[np.bool_], n_resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return draws (r,) of the gap when each mean moves by its own standard error."""
    drawn = found.mean[chosen] + found.error[chosen] * generator.standard_normal((n_resamples, int(chosen.sum())))
    return np.asarray(np.ptp(drawn, axis=1) / found.spread if found.spread > 0 else np.zeros(n_resamples))


def against_others(values: NDArray[np.float64], member: NDArray[np.bool_]) -> tuple[float, float]:
    """Return how far the mean of a group lies above that of all others, and the p-value that it does not differ.

    Source: Welch, "The generalization of Student's problem", Biometrika 34, 1947, with the normal distribution, for
    groups of some dozens of rows or more.

    Args:
        values: (n,) finite numbers.
        member: (n,) bool, both kinds occur at least twice.
    """
    one, other = values[member], values[~member]
    moved = float(one.mean() - other.mean())
    error = math.sqrt(float(one.var(ddof=1)) / len(one) + float(other.var(ddof=1)) / len(other))
    if error == 0:
        return moved, 1.0 if moved == 0 else 0.0
    return moved, math.erfc(abs(moved) / error / math.sqrt(2))
