"""How scores of groups differ: calibration, distance of distributions, places in a ranking, proxies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.fairness.significance import upper_gamma

_TERMS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Scores and outcomes by group and bin.

    Attributes:
        counts: (groups, bins, 2) rows by outcome 0 and 1.
        sums: (groups, bins) sum of scores.
        squares: (groups,) sum of (outcome − score)².
    """

    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean score (groups, bins); 0 where there is no row."""
        return np.asarray(self.sums / np.maximum(self.counts.sum(axis=2), 1))

    def errors(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Return mean outcome minus mean score of each group, (…, groups), for counts (…, groups, bins, 2)."""
        rows = counts.sum(axis=-1)
        said = (rows * self.means).sum(axis=-1)
        return np.asarray((counts[..., 1].sum(axis=-1) - said) / np.maximum(rows.sum(axis=-1), 1))

    def expected_error(self) -> NDArray[np.float64]:
        """Return the expected calibration error (groups,): mean over rows of |outcome rate − mean score| of their bin.

        Source: Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
        2015, equation 3.
        """
        rows = self.counts.sum(axis=2)
        gap = np.abs(self.counts[:, :, 1] - self.sums).sum(axis=1)
        return np.asarray(gap / np.maximum(rows.sum(axis=1), 1))

    def p_same(self, chosen: NDArray[np.bool_]) -> float:
        """Return the p-value that the chosen groups have the same calibration error (chi-square of their means)."""
        n = self.counts.sum(axis=(1, 2))[chosen]
        mean = self.errors(self.counts)[chosen]
        variance = np.maximum(self.squares[chosen] / n - mean**2, 1e-12) / n
        pooled = (mean / variance).sum() / (1 / variance).sum()
        return upper_gamma((len(n) - 1) / 2, float(((mean - pooled) ** 2 / variance).sum()) / 2)


def calibration(
    groups: NDArray[Any], n_groups: int, score: NDArray[Any], outcome: NDArray[Any], n_bins: int
) -> Calibration:
    """Count (n,) outcomes 0 and 1 by group and by bin of the score in [0, 1], all bins of one width."""
    bins = np.minimum((np.asarray(score) * n_bins).astype(np.int64), n_bins - 1)
    cell = groups.astype(np.int64) * n_bins + bins
    counts = np.bincount(cell * 2 + outcome, minlength=n_groups * n_bins * 2).reshape(n_groups, n_bins, 2)
    sums = np.bincount(cell, weights=score, minlength=n_groups * n_bins).reshape(n_groups, n_bins)
    squares = np.bincount(groups, weights=(outcome - score) ** 2, minlength=n_groups)
    return Calibration(counts=counts.astype(np.int64), sums=sums.astype(np.float64), squares=squares.astype(np.float64))


def distances(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the Kolmogorov distance (…, groups) of each group to all others, from counts (…, groups, bins)."""
    own = np.cumsum(counts, axis=-1, dtype=np.float64)
    rest = own.sum(axis=-2, keepdims=True) - own
    apart = own / np.maximum(own[..., -1:], 1) - rest / np.maximum(rest[..., -1:], 1)
    return np.asarray(np.abs(apart).max(axis=-1))


def kolmogorov_p(distance: float, n: int, m: int) -> float:
    """Return the asymptotic p-value of a Kolmogorov-Smirnov distance between samples of n and m.

    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical
    Statistics 19, 1948.
    """
    reach = distance * math.sqrt(n * m / (n + m)) if n and m else 0.0
    if reach < 0.2:
        return 1.0
    terms = [2 * math.exp(-2 * (k * reach) ** 2) for k in range(1, _TERMS)]
    return min(1.0, max(0.0, math.fsum(terms[0::2]) - math.fsum(terms[1::2])))


def exposures(groups: NDArray[Any], n_groups: int) -> NDArray[np.float64]:
    """Return the mean exposure of each group, rows in order of rank: 1 / log2(1 + rank) a place.

    Source: Singh & Joachims, "Fairness of exposure in rankings", KDD 2018, section 4.
    """
    weight = 1 / np.log2(np.arange(2, len(groups) + 2))
    total = np.bincount(groups, weights=weight, minlength=n_groups)
    return np.asarray(total / np.maximum(np.bincount(groups, minlength=n_groups), 1))


def ndkl(groups: NDArray[Any], n_groups: int) -> float:
    """Return how far the groups among the first k lie from those of all, over all k, early ones counting more.

    Source: Geyik, Ambler & Kenthapadi, "Fairness-aware ranking in search and recommendation systems", KDD 2019,
    definition 2.
    """
    n = len(groups)
    shares = np.bincount(groups, minlength=n_groups) / n
    seen = np.zeros(n_groups)
    weight = 1 / np.log2(np.arange(2, n + 2))
    total = 0.0
    used = shares > 0
    step = 4096
    for start in range(0, n, step):
        block = np.eye(n_groups)[groups[start : start + step]].cumsum(axis=0) + seen
        seen = block[-1]
        top = block / np.arange(start + 1, start + len(block) + 1)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(top > 0, top * np.log(top / np.where(used, shares, 1.0)), 0.0)
        total += float((terms.sum(axis=1) * weight[start : start + len(block)]).sum())
    return total / float(weight.sum())


def cramers_v(table: NDArray[Any]) -> float:
    """Return the bias-corrected association of rows and columns of a table of counts, from 0 to 1.

    Source: Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42,
    2013, equation 10.
    """
    counts = np.asarray(table, np.float64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    n, (r, c) = counts.sum(), counts.shape
    if min(r, c) < 2 or n < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    phi = float(((counts - expected) ** 2 / expected).sum()) / n
    corrected = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    rows, columns = (side - (side - 1) ** 2 / (n - 1) for side in (r, c))
    return min(1.0, math.sqrt(corrected / max(min(rows, columns) - 1, 1e-12)))


def adjusted(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return balanced accuracy (…,) of confusion counts (…, k, k), rescaled: 0 for guessing, 1 for always right."""
    rows = confusion.sum(axis=-1)
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    known = rows > 0
    recall = np.where(known, right / np.maximum(rows, 1), 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    chance = 1 / np.maximum(known.sum(axis=-1), 2)
    return np.asarray((recall - chance) / (1 - chance))
