"""Has a stream moved away from its reference? An answer that may be asked for after every row, for ever.

For counts in bins the evidence is a likelihood ratio: the numerator lets reference and stream have distributions of
their own, each mixed over with Jeffreys' prior, the denominator gives both the one distribution that fits best. While
they are alike it is at most a martingale of mean one, so that by Ville's inequality it ever reaches 1/α with a
probability of at most α. The stream may have moved at the start of any interval: the evidence since each start is
summed with weights that add up to one, which keeps that bound over the whole life of the stream. It depends on counts
alone: the order of rows within an interval, or the replica that saw them, does not matter.

Sources: Wasserman, Ramdas & Balakrishnan, "Universal inference", PNAS 117, 2020, section 8; Krichevsky & Trofimov 1981
(the mixture); Shafer et al., "Test martingales, Bayes factors and p-values", 2011, section 2 (sums with weights).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.drift.columns import Estimate

INTERVAL_S = 300
MOST_INTERVALS = 96
"""Eight hours of five minutes; what is older counts as one, from the stream's beginning."""
RESAMPLES = 200
_SMALLEST_SHARE = 1e-4
"""An empty bin would make the index infinite; a ten-thousandth is the usual floor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Counts of a stream by interval of time, bounded; sums of two are what one would have counted.

    Attributes:
        shape: of one interval's counts.
        first: number of the first interval since the epoch, or None.
        total: counts since then.
        recent: counts by interval, the latest `MOST_INTERVALS`.
    """

    shape: tuple[int, ...]
    total: NDArray[np.int64]
    first: int | None = None
    recent: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> Counted:
        """Return no counts."""
        return cls(shape=shape, total=np.zeros(shape, np.int64))

    def plus(self, time_s: float, counts: NDArray[np.int64]) -> Counted:
        """Return the counts with more from one time."""
        place = math.floor(time_s / INTERVAL_S)
        return self.merged(Counted(shape=self.shape, total=counts, first=place, recent={place: counts}))

    def merged(self, other: Counted) -> Counted:
        """Return the sum."""
        recent = dict(self.recent)
        for place, counts in other.recent.items():
            recent[place] = recent[place] + counts if place in recent else counts
        firsts = [each.first for each in (self, other) if each.first is not None]
        kept = recent if len(recent) <= MOST_INTERVALS else {p: recent[p] for p in sorted(recent)[-MOST_INTERVALS:]}
        return Counted(
            shape=self.shape, total=self.total + other.total, first=min(firsts) if firsts else None, recent=kept
        )

    def since(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return counts since each possible start, (s, …), and the logarithm of each start's weight, (s,)."""
        if self.first is None:
            return np.zeros((0, *self.shape), np.int64), np.zeros(0)
        order = sorted(self.recent)
        sums = np.cumsum(np.stack([self.recent[place] for place in reversed(order)]), axis=0)[::-1]
        ages = np.array([place - self.first for place in order], np.float64)
        if order[0] != self.first:
            sums, ages = np.concatenate([self.total[None], sums]), np.concatenate([[0.0], ages])
        return sums, -np.log((ages + 1) * (ages + 2))


def log_evidence(
    reference: NDArray[np.int64], current: NDArray[np.int64], n_bins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the log of the evidence that two samples have different distributions.

    Args:
        reference: (…, k) counts.
        current: (…, k) counts of the same bins.
        n_bins: (…) bins that there really are; the others hold nothing.
    """
    both = (reference + current).astype(np.float64)
    n = both.sum(axis=-1, keepdims=True)
    alike = np.where(both > 0, both * np.log(np.where(both > 0, both, 1) / np.maximum(n, 1)), 0).sum(axis=-1)
    return np.asarray(_mixed(reference, n_bins) + _mixed(current, n_bins) - alike)


def most_evident(
    sums: NDArray[np.int64], weights: NDArray[np.float64], reference: NDArray[np.int64], n_bins: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the summed log evidence of each column, (d,), and the start that it mostly comes from, (d,)."""
    if not len(sums):
        return np.full(len(reference), -np.inf), np.zeros(len(reference), np.int64)
    each = log_evidence(reference[None], sums, n_bins[None]) + weights[:, None]
    top = each.max(axis=0)
    return top + np.log(np.exp(each - top).sum(axis=0)), each.argmax(axis=0)


def stability(reference: NDArray[np.int64], current: NDArray[np.int64], *, seed: int) -> Estimate:
    """Return the population stability index of (k,) counts without its bias, with a 95 % interval by resampling.

    Source: Yurdakul, "Statistical properties of the population stability index", 2018, section 2 (the bias).
    """
    held = (reference + current) > 0
    one, two = reference[held], current[held]
    n, m = int(one.sum()), int(two.sum())
    bias = (len(one) - 1) * (1 / max(n, 1) + 1 / max(m, 1))
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(t, c / t, RESAMPLES) / t for c, t in ((one, n), (two, m))]
    value = max(0.0, float(_index(one / n, two / m)) - bias)
    # each resample adds the noise of sampling once more
    low, high = np.quantile(np.maximum(_index(*drawn) - 2 * bias, 0), [0.025, 0.975])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def stabilities(reference: NDArray[np.int64], current: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the population stability index of each of d columns without its bias, from counts (d, k) and (d, k).

    A column that nothing was counted of has not moved.
    """
    n, m = reference.sum(axis=1, keepdims=True), current.sum(axis=1, keepdims=True)
    held = ((reference + current) > 0).sum(axis=1)
    bias = (held - 1) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1))[:, 0]
    found = np.array(
        [
            _index(p[h], q[h])
            for p, q, h in zip(
                reference / np.maximum(n, 1), current / np.maximum(m, 1), (reference + current) > 0, strict=True
            )
        ]
    )
    return np.where(m[:, 0] > 0, np.maximum(0.0, found - bias), 0.0)


def _index(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
    a, b = np.maximum(p, _SMALLEST_SHARE), np.maximum(q, _SMALLEST_SHARE)
    return np.asarray(((a - b) * np.log(a / b)).sum(axis=-1))


def _mixed(counts: NDArray[np.int64], n_bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log probability of counts (…, k) in their order, mixed over with Jeffreys' prior."""
    n, half = counts.sum(axis=-1), n_bins / 2
    # an empty bin adds nothing, so bins that are none do not either
    parts = np.where(counts > 0, _log_gamma(counts + 0.5) - math.lgamma(0.5), 0).sum(axis=-1)
    return np.asarray(parts + _log_gamma(half) - _log_gamma(n + half))


def _log_gamma(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return log Γ of numbers of at least 1/2, by Stirling's series after a shift by 8: to 12 digits."""
    x = np.asarray(x, np.float64)
    product = np.ones_like(x)
    for i in range(8):
        product = product * (x + i)
    y = x + 8
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5) - 1 / (1680 * y**7)
    return np.asarray((y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + series - np.log(product))
