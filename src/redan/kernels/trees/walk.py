"""A point that walks through the cells of a forest, one column a step, and sees every step it could take at once.

Along one column all trees change only where one of their leaves begins that the point would be in but for that column.
Those leaves are the ones that the point misses in exactly one entry; the misses are counted as the point moves, so a
step looks only at the entries of its own column. The neighbourhood holds that of Zhang, Zhang & Hsieh 2020 (one tree's
leaf changes) and steps across thresholds that trees share, at which several leaves change together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from redan.kernels.trees.forest import Floats, Forest, Ints
from redan.kernels.trees.lengths import Meter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """What the point could do: m steps of one column each.

    Attributes:
        feature: (m,) column.
        value: (m,) where to.
        scores: (m, classes) scores there.
        cells: (m,) cost of that column there.
    """

    feature: Ints
    value: Floats
    scores: Floats
    cells: Floats

    def only(self, chosen: Ints) -> Steps:
        """Return some of them."""
        return Steps(
            feature=self.feature[chosen],
            value=self.value[chosen],
            scores=self.scores[chosen],
            cells=self.cells[chosen],
        )


class Columns:
    """The entries of a forest's leaves, column after column."""

    def __init__(self, forest: Forest) -> None:
        leaf, place = np.nonzero(forest.feature < forest.d)
        feature = forest.feature[leaf, place]
        order = np.argsort(feature, kind="stable")
        self.forest = forest
        self.leaf: Ints = leaf[order]
        self.feature: Ints = feature[order]
        self.low: Floats = forest.low[leaf, place][order]
        self.high: Floats = forest.high[leaf, place][order]
        self.start: Ints = np.searchsorted(self.feature, np.arange(forest.d + 1))


class Walk:
    """One row's search.

    Args:
        columns: the forest.
        row: (d,) the clean row as the library sees it.
        low: (d,) smallest value that each cell can take.
        high: (d,) largest.
        meter: costs, with one weight more for the column that is none.
    """

    def __init__(self, columns: Columns, row: Floats, low: Floats, high: Floats, meter: Meter) -> None:
        self._columns = columns
        self._forest = columns.forest
        self.row, self._low, self._high = row, low, high
        self._meter, self._weight = meter, meter.weight[:-1]
        self.seen = 0
        self.home: Floats = np.clip(row, low, high)
        self.put(self.home)

    @property
    def largest(self) -> bool:
        """Whether the largest move alone counts."""
        return self._meter.norm == "linf"

    def put(self, point: Floats) -> None:
        """Set the point (d,), which lies inside, and count anew."""
        columns, forest = self._columns, self._forest
        self.point = point.copy()
        cells = point[columns.feature]
        self._missed = (cells < columns.low) | (cells > columns.high)
        entries, leaves = np.flatnonzero(self._missed), len(forest.tree)
        self._misses = np.bincount(columns.leaf[entries], minlength=leaves)
        # the sum of the missed entries' places is the place itself where one is missed; doubles hold it exactly
        self._places = np.bincount(columns.leaf[entries], weights=entries, minlength=leaves).astype(np.int64)
        self._tell()

    def move(self, feature: int, value: float) -> None:
        """Move one cell."""
        columns = self._columns
        part = slice(int(columns.start[feature]), int(columns.start[feature + 1]))
        missed = (value < columns.low[part]) | (value > columns.high[part])
        changed = np.flatnonzero(missed != self._missed[part])
        entries = changed + part.start
        sign = np.where(missed[changed], 1, -1)
        # a leaf has one entry a column at most, so no leaf is met twice
        self._misses[columns.leaf[entries]] += sign
        self._places[columns.leaf[entries]] += sign * entries
        self._missed[part] = missed
        self.point[feature] = value
        self._tell()

    def settle(self) -> None:
        """Go to the point of the present cell that is nearest to the row."""
        forest = self._forest
        low, high = np.append(self._low, -np.inf), np.append(self._high, np.inf)
        feature = forest.feature[self._leaves]
        np.maximum.at(low, feature, forest.low[self._leaves])
        np.minimum.at(high, feature, forest.high[self._leaves])
        self.point = np.clip(self.row, low[:-1], high[:-1])
        self._cost()

    def steps(self) -> Steps:
        """Return every step of one column to another cell, each to the cell's value nearest to the row."""
        self.seen += 1
        columns, forest = self._columns, self._forest
        near = np.flatnonzero(self._misses == 1)
        entry = self._places[near]
        feature, low, high = columns.feature[entry], columns.low[entry], columns.high[entry]
        up = low > self.point[feature]
        gain = forest.value[near] - forest.value[self._leaves][forest.tree[near]]
        return self._profile(feature * 2 + up, np.where(up, low, -high), np.where(up, high, -low), gain)

    def _profile(self, side: Ints, start: Floats, end: Floats, gain: Floats) -> Steps:
        """Scores along each column and direction, from the leaves that begin and end there (on a mirrored scale)."""
        m = len(side)
        if m == 0:
            none = np.zeros(0)
            return Steps(feature=np.zeros(0, np.int64), value=none, scores=np.zeros((0, gain.shape[1])), cells=none)
        place, side = np.concatenate([start, end]), np.concatenate([side, side])
        ends = np.repeat([0, 1], m)
        order = np.lexsort((ends, place, side))
        place, side, begins = place[order], side[order], order < m
        change = np.concatenate([gain, -gain])[order]
        total = np.cumsum(change, axis=0)
        # in a closed interval the leaf that ends counts up to its end: ends sort after beginnings at the same place
        first = np.flatnonzero(begins)
        last = np.append((place[first][1:] != place[first][:-1]) | (side[first][1:] != side[first][:-1]), True)
        chosen = first[last]
        opening = np.flatnonzero(np.append(True, side[1:] != side[:-1]))
        carried = np.concatenate([np.zeros((1, total.shape[1])), total])[opening]
        scores = total[chosen] - carried[np.searchsorted(opening, chosen, side="right") - 1]
        return self._reached(side[chosen], place[chosen], self.scores + scores)

    def _reached(self, side: Ints, place: Floats, scores: Floats) -> Steps:
        feature, up = side // 2, side % 2 == 1
        # a cell ends where the next begins in the same direction
        same = np.append(side[1:] == side[:-1], False)
        following = np.where(same, np.append(place[1:], np.inf), np.inf)
        signed = np.where(up, following, -following)
        bound = np.where(up, self._forest.before(signed, feature), self._forest.after(signed, feature))
        bound = np.where(same, bound, signed)
        begin = np.where(up, place, -place)
        low = np.maximum(np.minimum(begin, bound), self._low[feature])
        high = np.minimum(np.maximum(begin, bound), self._high[feature])
        kept = np.flatnonzero(low <= high)
        feature = feature[kept]
        value = np.clip(self.row[feature], low[kept], high[kept])
        cells = self._meter.cells(value - self.row[feature], self._weight[feature])
        return Steps(feature=feature, value=value, scores=scores[kept], cells=cells)

    def costs(self, steps: Steps) -> Floats:
        """Return the cost of the point after each step."""
        if self._meter.norm != "linf":
            return self.cost - self.cells[steps.feature] + steps.cells
        ordered = np.sort(self.cells)
        second = ordered[-2] if len(ordered) > 1 else 0.0
        others = np.where(self.cells[steps.feature] == ordered[-1], second, ordered[-1])
        return np.maximum(others, steps.cells)

    def _tell(self) -> None:
        self._leaves = np.flatnonzero(self._misses == 0)
        self.scores = self._forest.base + self._forest.value[self._leaves].sum(axis=0)
        self._cost()

    def _cost(self) -> None:
        self.cells = self._meter.cells(self.point - self.row, self._weight)
        self.cost = float(self._meter.total(self.cells))
