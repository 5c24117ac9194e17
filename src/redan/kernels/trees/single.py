"""Nearest misclassified point of one tree, exactly: the nearest point of each leaf's box, for all rows at once."""

from __future__ import annotations

import numpy as np

from redan.kernels.trees.forest import Floats, Forest, Ints
from redan.kernels.trees.lengths import Meter

_CELLS = 2_000_000
"""Cells that are worked on at once."""


def samples_of_leaves(forest: Forest, row: Floats) -> Floats:
    """Return the point (leaves, d) of each leaf of a tree that is nearest to a row (d,): every leaf answered for."""
    low, high = _dense(forest, np.arange(len(forest.tree)))
    return np.asarray(np.clip(row, low, high))


def nearest_leaf(
    forest: Forest, answers: Ints, rows: Floats, true: Ints, low: Floats, high: Floats, meter: Meter
) -> tuple[Floats, Floats]:
    """Return the nearest misclassified point of each row and its cost; the row itself and inf where there is none.

    Args:
        forest: one tree.
        answers: (leaves,) class the model gives to the points of each leaf.
        rows: (n, d) clean rows as the library sees them.
        true: (n,) their classes.
        low: (n, d) smallest value of each cell.
        high: (n, d) largest.
        meter: costs.
    """
    points, costs = rows.copy(), np.full(len(rows), np.inf)
    step = max(1, _CELLS // forest.feature.size)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        cost = _costs(forest, rows[part], low[part], high[part], meter)
        cost[answers[None] == true[part, None]] = np.inf
        best = cost.argmin(axis=1)
        costs[part] = cost[np.arange(len(cost)), best]
        lows, highs = _dense(forest, best)
        moved = np.clip(rows[part], np.maximum(lows, low[part]), np.minimum(highs, high[part]))
        points[part] = np.where(np.isfinite(costs[part])[:, None], moved, rows[part])
    return points, costs


def _costs(forest: Forest, rows: Floats, low: Floats, high: Floats, meter: Meter) -> Floats:
    n, feature = len(rows), forest.feature
    row = np.concatenate([rows, np.zeros((n, 1))], axis=1)[:, feature]
    lows = np.maximum(forest.low, np.concatenate([low, np.full((n, 1), -np.inf)], axis=1)[:, feature])
    highs = np.minimum(forest.high, np.concatenate([high, np.full((n, 1), np.inf)], axis=1)[:, feature])
    cost = meter.total(meter.gaps(lows, highs, row, meter.weight[feature]))
    return np.where((lows <= highs).all(axis=2), cost, np.inf)


def _dense(forest: Forest, leaves: Ints) -> tuple[Floats, Floats]:
    """Ends of leaves in all columns, (leaves, d) each."""
    low, high = np.full((len(leaves), forest.d + 1), -np.inf), np.full((len(leaves), forest.d + 1), np.inf)
    at = np.arange(len(leaves))[:, None]
    low[at, forest.feature[leaves]] = forest.low[leaves]
    high[at, forest.feature[leaves]] = forest.high[leaves]
    return low[:, :-1], high[:, :-1]
