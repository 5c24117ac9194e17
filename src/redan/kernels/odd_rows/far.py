"""Rows that lie far from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import sample_keys, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ANCHORS = 2000
NEIGHBOURS = 5
FENCE = 1.5
"""Interquartile ranges above the upper quartile of the logarithm of distances, from which a row counts as far."""
_PART = 1024


def distances(
    columns: NDArray[np.float64], indices: NDArray[np.int64], seed: int, stop: Callable[[], object] = lambda: None
) -> NDArray[np.float64] | None:
    """Return each row's distance to its fifth nearest among 2000 rows drawn by key; None when ``stop`` gave a reason.

    Args:
        columns: (n, d), n > 6.
        indices: (n,) places of the rows in their source, the keys of the draw.
        seed: of the draw.
        stop: asked between parts.

    Source: Ramaswamy, Rastogi & Shim 2000, "Efficient algorithms for mining outliers from large data sets", section 2.
    """
    draws = uniform(sample_keys(seed, "odd_rows.anchors", indices), (), stream=0)
    anchors = np.lexsort((indices, draws))[:ANCHORS]
    points = columns[anchors]
    norms = (points**2).sum(axis=1)
    found = np.empty(len(columns))
    place = np.full(len(columns), -1)
    place[anchors] = np.arange(len(anchors))
    k = min(NEIGHBOURS, len(anchors) - 2)
    for start in range(0, len(columns), _PART):
        if stop():
            return None
        part = columns[start : start + _PART]
        squared = norms - 2 * part @ points.T + (part**2).sum(axis=1)[:, None]
        own = place[start : start + _PART]
        squared[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
        found[start : start + _PART] = np.partition(squared, k, axis=1)[:, k]
    return np.sqrt(np.maximum(found, 0))


def outlying(found: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which distances lie beyond the fence of their logarithms.

    Source: Tukey 1977, "Exploratory data analysis", section 2D.
    """
    logs = np.log(np.maximum(found, 1e-12))
    low, high = np.quantile(logs, (0.25, 0.75))
    return np.asarray(logs > high + FENCE * (high - low))
