"""What a model is asked in place of a point of the search, and how far that lies from the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Ball, Norm

_TINY = 1e-300
_ROUNDINGS = 8


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
    flat = moves.reshape(len(moves), -1) if len(moves) else np.zeros((0, 1))
    lengths: NDArray[np.float64] = (
        np.abs(flat).max(axis=1) if norm == "linf" else np.sqrt(np.einsum("nd,nd->n", flat, flat))
    )
    return lengths


def ends(inputs: NDArray[np.float32], ball: Ball) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest float32 value of each coordinate inside box and Linf ball, exactly."""
    inputs64 = inputs.astype(np.float64)
    low = np.maximum(inputs64 - ball.eps, ball.box.low).astype(np.float32)
    high = np.minimum(inputs64 + ball.eps, ball.box.high).astype(np.float32)
    inf = np.float32(np.inf)
    low = np.where((inputs64 - low > ball.eps) | (low < ball.box.low), np.nextafter(low, inf), low)
    high = np.where((high - inputs64 > ball.eps) | (high > ball.box.high), np.nextafter(high, -inf), high)
    # an input on the edge of the box stays where it is
    return np.minimum(low, inputs), np.maximum(high, inputs)


def pulled_in(points: NDArray[np.floating], inputs: NDArray[np.float32], ball: Ball) -> NDArray[np.float32]:
    """Bring points (m, ...) into box and ball of their inputs (m, ...): exact for Linf, scaled for L2."""
    if ball.norm == "linf":
        low, high = ends(inputs, ball)
        inside: NDArray[np.float32] = np.clip(points, low, high).astype(np.float32)
        return inside
    moves = np.clip(points, ball.box.low, ball.box.high).astype(np.float64) - inputs
    share = np.minimum(1.0, ball.eps / np.maximum(norms(moves, "l2"), _TINY))
    pulled = inputs.copy()
    left = np.arange(len(inputs))
    for _ in range(_ROUNDINGS):
        scale = share[left].reshape(-1, *([1] * (moves.ndim - 1)))
        tried = np.clip(inputs[left] + moves[left] * scale, ball.box.low, ball.box.high).astype(np.float32)
        lengths = norms(tried.astype(np.float64) - inputs[left], "l2")
        good = lengths <= ball.eps
        pulled[left[good]] = tried[good]
        # rounding to float32 can leave the ball: then a little shorter, and at the end not at all
        share[left] *= np.minimum(ball.eps / np.maximum(lengths, _TINY), 1.0) * (1 - 1e-6)
        left = left[~good]
        if len(left) == 0:
            break
    return pulled
