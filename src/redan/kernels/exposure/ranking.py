"""Exposure of planted secrets by their rank among candidates, beyond all candidates by extrapolation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.exposure.skew_normal import SkewNormal, fitted
from redan.kernels.statistics import clopper_pearson, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNPLANTED_BITS = 1 / math.log(2)
"""Mean exposure of a secret that was never planted: the mean of −log2 of a uniform rank."""

COMPARED = 25
"""Candidates at which the fitted distribution is compared with the real one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exposed:
    """Exposure of k planted secrets among m candidates.

    Attributes:
        by_rank: (k,) bits; at most log2(m + 1).
        bits: (k,) by rank, and extrapolated for a secret that lies below every candidate.
        mean: of ``bits``.
        low: lower end of the mean's 95 % interval.
        high: upper end.
        extrapolated: how many secrets lie below every candidate.
        misfit: largest distance between the candidates and the distribution that stands for them, 0 to 1.
    """

    by_rank: NDArray[np.float64]
    bits: NDArray[np.float64]
    mean: float
    low: float
    high: float
    extrapolated: int
    misfit: float


def exposure(planted: NDArray[Any], candidates: NDArray[Any]) -> Exposed:
    """Measure how far losses of planted secrets lie below those of candidates drawn the same way and not planted.

    For a language model the loss is the negative log-likelihood of the secret's text; for a classifier that of the
    class a canary was planted with.

    Args:
        planted: (k,) losses of planted secrets.
        candidates: (m,) losses of others.

    Source: Carlini et al. 2019, "The secret sharer", section 4: equation 1 (rank), section 4.3 (extrapolation by a
    skew normal distribution, which candidates that are all the same have none of). The intervals are ours: Student's t
    over secrets, the upper end moved for skewness as in Hall 1992, "On the removal of skewness by transformation",
    section 2; for a single secret Clopper and Pearson's for its rank.

    Raises:
        ValueError: no secret, fewer than three candidates, or no finite numbers.
    """
    if not len(planted) or not (np.isfinite(planted).all() and np.isfinite(candidates).all()):
        msg = f"expected finite losses, got {len(planted)} of secrets and {len(candidates)} of candidates"
        raise ValueError(msg)
    m = len(candidates)
    model = fitted(candidates) if m < 3 or np.ptp(candidates) > 0 else None
    below = np.array([float((candidates < loss).sum() + (candidates == loss).sum() / 2) for loss in planted])
    by_rank = math.log2(m + 1) - np.log2(1 + below)
    bits = by_rank.copy()
    lowest = below == 0
    if model is not None:
        for place in np.flatnonzero(lowest).tolist():
            # fewer bits than the rank shows are no better estimate, they are a distribution that does not fit
            bits[place] = max(float(by_rank[place]), -model.log2_below(float(planted[place])))
    low, high = _interval(bits, below, m)
    return Exposed(
        by_rank=by_rank,
        bits=bits,
        mean=float(bits.mean()),
        low=low,
        high=high,
        extrapolated=int(lowest.sum()),
        misfit=1.0 if model is None else _misfit(candidates, model),
    )


def _interval(bits: NDArray[np.float64], below: NDArray[np.float64], m: int) -> tuple[float, float]:
    k, mean = len(bits), float(bits.mean())
    if k == 1:
        low, high = clopper_pearson(min(m, round(float(below[0]))), m)
        return min(mean, -math.log2(max(high, 1e-300))), max(mean, -math.log2(max(low, 2.0**-64)))
    z = normal_quantile(0.975)
    # an expansion of Student's quantile; few secrets have wide intervals
    t = z * (1 + (z * z + 1) / (4 * (k - 1)))
    deviation = max(float(bits.std(ddof=1)), 1e-9)
    skew = max(0.0, float((((bits - mean) / deviation) ** 3).mean()))
    half = t * deviation / math.sqrt(k)
    return max(0.0, mean - half), mean + half + skew * (2 * z * z + 1) * deviation / (6 * k)


def _misfit(candidates: NDArray[Any], model: SkewNormal) -> float:
    """Return Kolmogorov's distance at some candidates, spread over all."""
    ordered = np.sort(candidates)
    places = np.unique(np.linspace(0, len(ordered) - 1, min(COMPARED, len(ordered))).round().astype(int))
    told = np.array([2.0 ** model.log2_below(float(ordered[place])) for place in places])
    return float(max(np.abs(told - (places + 1) / len(ordered)).max(), np.abs(told - places / len(ordered)).max()))
