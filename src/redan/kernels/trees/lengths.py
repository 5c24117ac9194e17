"""Lengths of moves under a norm, as costs that add up over columns (or take the largest)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from redan.kernels.attacks.ball import Norm
from redan.kernels.trees.forest import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meter:
    """Costs of moves of rows of d columns; a search compares costs and tells lengths at its end.

    Attributes:
        norm: linf, l2, l1 or l0.
        weight: (d + 1,) what a move of 1 counts in each column; 0 for the column that is none.
    """

    norm: Norm
    weight: Floats

    def cells(self, move: Floats, weight: Floats) -> Floats:
        """Return the cost of each cell's move, given the weights of the cells."""
        if self.norm == "l0":
            return np.asarray((move != 0) & (weight > 0), np.float64)
        scaled = np.abs(move) * weight
        cost: Floats = scaled * scaled if self.norm == "l2" else scaled
        return cost

    def gaps(self, low: Floats, high: Floats, row: Floats, weight: Floats) -> Floats:
        """Return the cost of moving cells into intervals."""
        return self.cells(np.maximum(np.maximum(low - row, row - high), 0.0), weight)

    def total(self, cells: Floats) -> Floats:
        """Return the cost of rows from those of their cells, over the last axis."""
        found: Floats = cells.max(axis=-1) if self.norm == "linf" else cells.sum(axis=-1)
        return found

    def extended(self, start: Floats, cells: Floats, old: Floats) -> Floats:
        """Return costs of rows some of whose cells cost more than before.

        Args:
            start: cost before.
            cells: (m, k) new costs of the cells that changed.
            old: (m, k) their costs before, none larger.
        """
        if self.norm == "linf":
            return np.asarray(np.maximum(start, cells.max(axis=-1)))
        found: Floats = start + (cells - old).sum(axis=-1)
        return found

    def length(self, cost: Floats) -> Floats:
        """Return lengths of costs."""
        found: Floats = np.sqrt(cost) if self.norm == "l2" else cost
        return found
