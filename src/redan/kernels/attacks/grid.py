"""Inputs of any shape as channels of a grid, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.attacks.scored import Floats, Places

if TYPE_CHECKING:
    from redan.kernels.attacks.reach import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How inputs of a shape lie as (n, channels, height, width)."""

    shape: tuple[int, ...]
    """Shape of one input as the model takes it."""
    last: bool
    """Whether the channels come last."""

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Grid:
        """Choose the layout for inputs of shape (n, ...): channels are the axis of at most 4, first or else last."""
        one = tuple(shape[1:])
        last = len(one) == 3 and one[0] > 4 >= one[2]
        return cls(shape=one, last=last)

    def inward(self, points: Floats) -> Floats:
        """Bring inputs (n, ...) to (n, channels, height, width)."""
        n = len(points)
        if self.last:
            return np.ascontiguousarray(np.moveaxis(points, 3, 1))
        if len(self.shape) == 3:
            return points
        return points.reshape((n, 1, *self.shape) if len(self.shape) == 2 else (n, 1, 1, math.prod(self.shape)))

    def outward(self, points: Floats) -> Floats:
        """Bring (n, channels, height, width) back to inputs (n, ...)."""
        if self.last:
            return np.ascontiguousarray(np.moveaxis(points, 1, 3))
        return points.reshape(len(points), *self.shape)


class OnGrid:
    """What is asked in place of points that lie on a grid."""

    def __init__(self, grid: Grid, reach: Asked | None) -> None:
        self._grid, self._reach = grid, reach

    def rows(self, points: Floats, places: Places) -> NDArray[Any]:
        """Bring them back to the inputs' shape, then to what may be asked."""
        outward = self._grid.outward(points)
        return outward if self._reach is None else self._reach.rows(outward, places)
