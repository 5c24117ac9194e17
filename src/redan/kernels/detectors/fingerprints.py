"""Short fingerprints of inputs whose distances tell which queries belong to one search.

A query-based attack asks about many points near one input; natural inputs of one client lie far apart. A fingerprint is
the input, made small and projected onto random directions, which keeps Euclidean distances (Johnson, Lindenstrauss
1984). A query is near when its nearest neighbour among the client's earlier ones is nearer than benign inputs ever are.
Source of the idea: Chen, Carlini, Wagner, "Stateful detection of black-box adversarial attacks", SPAI 2020, section 4;
Li, Shan, Wenger, Zhang, Zheng, Zhao, "Blacklight", USENIX Security 2022, section 4 (fingerprints of bounded size).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch
from redan.kernels import draws

LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprints:
    """Random directions.

    Attributes:
        directions: (d, LENGTH) float32.
    """

    directions: NDArray[np.float32]

    def of(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the fingerprints (n, LENGTH) of rows (n, …).

        Raises:
            ShapeMismatch: the rows hold another number of values.
        """
        flat = np.asarray(rows, dtype=np.float32).reshape(len(rows), -1)
        if flat.shape[1] != len(self.directions):
            raise ShapeMismatch(f"rows of {len(self.directions)} values are expected, got {flat.shape[1]}")
        found: NDArray[np.float32] = flat @ self.directions
        return found


def fingerprints(values: int, seed: int) -> Fingerprints:
    """Draw directions for rows of so many values; the same seed draws the same, so replicas agree."""
    keys = draws.sample_keys(seed, "fingerprints", range(values))
    return Fingerprints(directions=draws.normal(keys, (LENGTH,), stream=0) / np.float32(math.sqrt(LENGTH)))


def apart(prints: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the distances of prints (m, LENGTH) to one (LENGTH,), shape (m,); the same whatever m and the order."""
    with np.errstate(over="ignore", invalid="ignore"):  # far away is far away
        distances: NDArray[np.float32] = np.sqrt(((prints - one) ** 2).sum(axis=1))
    return distances


def earlier(prints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of each print (m, LENGTH) to its nearest earlier one, shape (m,); infinite for the first."""
    nearest = np.full(len(prints), np.inf)
    for i in range(1, len(prints)):
        nearest[i] = apart(prints[:i], prints[i]).min()
    return nearest
