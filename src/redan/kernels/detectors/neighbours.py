"""Distance to the k-th nearest training row, exactly, by chunked matrix products.

Source: Sun, Ming, Zhu, Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022, section 3, equation
for the k-th nearest neighbour of features of length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch
from redan.kernels import draws

CHUNK_ROWS = 512
MOST_KEPT = 4096
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """Kept rows, each of length 1.

    Attributes:
        kept: (m, d) float32.
        k: which neighbour counts, from 1.
    """

    kept: NDArray[np.float32]
    k: int

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distance of each row (n, d) to its k-th nearest kept row, shape (n,), from 0 to 2.

        Raises:
            ShapeMismatch: the rows have another width than those kept.
        """
        if features.ndim != 2 or features.shape[1] != self.kept.shape[1]:
            raise ShapeMismatch(f"features of shape (n, {self.kept.shape[1]}) are expected, got {features.shape}")
        unit = unit_rows(features)
        found = np.empty(len(unit))
        for first in range(0, len(unit), CHUNK_ROWS):
            alike = unit[first : first + CHUNK_ROWS] @ self.kept.T
            place = alike.shape[1] - self.k
            kth = np.partition(alike, place, axis=1)[:, place]
            found[first : first + CHUNK_ROWS] = np.sqrt(np.maximum(2 - 2 * kth.astype(np.float64), 0.0))
        return np.where(np.isfinite(found), found, np.inf)


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale rows to length 1."""
    rows = np.asarray(features, dtype=np.float32)
    scaled: NDArray[np.float32] = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + _TINY)
    return scaled


def fit(features: NDArray[np.floating], *, k: int, seed: int, most: int = MOST_KEPT) -> Neighbours:
    """Keep training rows, all or `most` drawn by seed.

    Raises:
        ShapeMismatch: fewer rows than neighbours are asked for, or no two-dimensional features.
    """
    if features.ndim != 2 or not 1 <= k <= min(len(features), most):
        raise ShapeMismatch(f"neighbour {k} needs as many rows of features, got {features.shape}")
    order = np.argsort(draws.words(draws.sample_keys(seed, "neighbours", range(len(features))), (), stream=0))
    return Neighbours(kept=unit_rows(features[np.sort(order[:most])]), k=k)
