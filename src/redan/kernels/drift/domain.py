"""Can a classifier tell the two samples apart? Its AUC on rows it has not seen says how far, in all columns at once.

Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017 (the principle); DeLong, DeLong and
Clarke-Pearson, Biometrics 44, 1988 (variance of the AUC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.kernels.drift.columns import Estimate
from redan.kernels.drift.tails import normal
from redan.kernels.statistics import normal_quantile

MOST_ROWS = 50_000
"""Of each sample; more would change the third digit."""
MOST_PRODUCTS_OF = 24
"""Up to so many columns the classifier sees products of pairs, and so changes of correlation."""
SCALE = (0.556, 0.638, 0.714)
"""AUC of normal samples 0.2, 0.5 and 0.8 standard deviations apart: Φ(d/√2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How well a classifier tells two samples apart.

    Attributes:
        auc: area under its ROC curve on unseen rows; 0.5 is chance.
        p_value: of an AUC of one half or less.
        n: unseen rows it was judged on.
    """

    auc: Estimate
    p_value: float
    n: int

    @property
    def size(self) -> Literal["none", "small", "medium", "large"]:
        """The AUC in a word, whatever the p-value."""
        small, medium, large = SCALE
        value = self.auc.value
        if value < small:
            return "none"
        return "small" if value < medium else "medium" if value < large else "large"


def separation(reference: NDArray[Any], current: NDArray[Any], rng: np.random.Generator) -> Separation:
    """Train on one half of each sample, (n, k) and (m, k) finite numbers, and judge on the other.

    The classifier is ridge regression on ranks of the columns, their squares and, for few columns, their products.

    Raises:
        ValueError: fewer than four rows in a sample.
    """
    parts = [_halved(x, rng) for x in (reference, current)]
    if min(len(half) for pair in parts for half in pair) < 2:
        raise ValueError("a sample needs at least four rows")
    fitted = np.concatenate([parts[0][0], parts[1][0]])
    scale = [np.unique(np.quantile(fitted[:, j], np.linspace(0, 1, 201))) for j in range(fitted.shape[1])]
    weights = _ridge(_features(parts[0][0], scale), _features(parts[1][0], scale))
    return _judged(*(_features(pair[1], scale) @ weights for pair in parts))


def _halved(rows: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    order = rng.permutation(len(rows))[:MOST_ROWS]
    middle = len(order) // 2
    return rows[order[:middle]], rows[order[middle:]]


def _features(rows: NDArray[Any], scale: list[NDArray[Any]]) -> NDArray[Any]:
    ranks = np.empty(rows.shape, dtype=np.float64)
    for j, points in enumerate(scale):
        ranks[:, j] = np.interp(rows[:, j], points, np.linspace(-1, 1, len(points))) if len(points) > 1 else 0
    blocks = [ranks, ranks**2]
    if rows.shape[1] <= MOST_PRODUCTS_OF:
        first, second = np.triu_indices(rows.shape[1], 1)
        blocks.append(ranks[:, first] * ranks[:, second])
    return np.concatenate(blocks, axis=1)


def _ridge(one: NDArray[Any], two: NDArray[Any]) -> NDArray[Any]:
    """Return the direction that separates (n, f) from (m, f) features, both samples weighted alike."""
    gap = two.mean(axis=0) - one.mean(axis=0)
    spread = np.atleast_2d(np.cov(one, rowvar=False)) + np.atleast_2d(np.cov(two, rowvar=False))
    # about the variance of one mean: directions that nobody could have seen move are left alone
    penalty = np.trace(spread) / len(spread) * 0.05 + 1e-12
    return np.asarray(np.linalg.solve(spread + penalty * np.eye(len(spread)), gap))


def _judged(reference: NDArray[Any], current: NDArray[Any]) -> Separation:
    one, two = np.sort(reference), np.sort(current)
    n, m = len(one), len(two)
    beaten = (np.searchsorted(one, current, "left") + np.searchsorted(one, current, "right")) / (2 * n)
    beating = 1 - (np.searchsorted(two, reference, "left") + np.searchsorted(two, reference, "right")) / (2 * m)
    auc = float(beaten.mean())
    error = math.sqrt(float(beaten.var(ddof=1)) / m + float(beating.var(ddof=1)) / n)
    z = normal_quantile(0.975)
    # without a difference the AUC is the rank-sum statistic, whose variance is known
    p_value = normal((auc - 0.5) / math.sqrt((n + m + 1) / (12 * n * m)))
    low, high = max(0.0, auc - z * error), min(1.0, auc + z * error)
    return Separation(auc=Estimate(value=auc, low=low, high=high), p_value=p_value, n=n + m)
