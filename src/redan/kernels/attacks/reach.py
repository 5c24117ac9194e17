"""What a model is asked in place of a point of the search, and how far that lies from the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Norm


class Asked(Protocol):
    """Maps points of the search to rows that may be asked; the same point always gives the same row.

    A search walks freely; where its points are no legal inputs (a table with whole numbers, categories and columns
    that nobody can change) the nearest legal row is asked in their place, and counts.
    """

    def rows(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[Any]:
        """Return what is asked in place of points (m, ...) of the samples at places (m,)."""


class Reach(Asked, Protocol):
    """Such a map that also knows distances."""

    def lengths(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far those rows lie from their samples, (m,)."""

    @property
    def everywhere(self) -> bool:
        """Whether every point of the box may be asked as it is."""


class Anywhere:
    """Every point may be asked.

    Args:
        inputs: samples of the attack, (n, ...).
        norm: the distance.
    """

    everywhere = True

    def __init__(self, inputs: NDArray[np.float32], norm: Norm) -> None:
        self._inputs = inputs
        self._norm: Norm = norm

    def rows(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the points."""
        del places
        return points

    def lengths(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return their distances."""
        return norms(points.astype(np.float64) - self._inputs[places], self._norm)


def norms(moves: NDArray[np.float64], norm: Norm) -> NDArray[np.float64]:
    """Length of each move (m, ...), (m,)."""
    flat = np.abs(moves).reshape(len(moves), -1) if len(moves) else np.zeros((0, 1))
    lengths: NDArray[np.float64] = flat.max(axis=1) if norm == "linf" else np.sqrt((flat**2).sum(axis=1))
    return lengths
