"""Nearest misclassified point of an ensemble, from below: best-first search over boxes, exact when it meets the top.

Within a box and a length r every tree can at best give the gain of its best leaf that reaches into both; where these
gains together cannot lift a class over the true one, no point of the box within r is misclassified. The smallest such
r is the box's bound. A box whose best leaves have no point in common is split where they part. This is the bound of
Chen et al. 2019 with cliques of one tree, refined by the splits of a best-first search (Devos, Meert & Davis 2021)
instead of larger cliques; the trees' leaves are never multiplied out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from redan.kernels.trees.forest import Floats, Forest, Ints
from redan.kernels.trees.lengths import Meter

_SAME = 1 + 1e-12
_DOUBLE = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One row's question.

    Attributes:
        row: (d,) the clean row as the library sees it, rightly classified.
        true: its class.
        low: (d,) smallest value each cell can take.
        high: (d,) largest.
        upper: cost of a misclassified point that is known; inf if none.
        fooled: whether the model errs on a point (d,); asked where scores are too close to call.
        allowed: whether a point (d,) of the box keeps what the box does not say; None where boxes say it all.
    """

    row: Floats
    true: int
    low: Floats
    high: Floats
    upper: float
    fooled: Callable[[Floats], bool]
    allowed: Callable[[Floats], bool] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounded:
    """What is known of the nearest misclassified point.

    Attributes:
        lower: no misclassified point costs less.
        upper: what the one that is known costs, inf if none.
        point: (d,) that point; None where the one that was known before stays.
        boxes: boxes that were looked at.
    """

    lower: float
    upper: float
    point: Floats | None
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Box:
    """Part of the space: its ends (d + 1,), the leaves that reach into it, their costs, its bound, the best rival."""

    low: Floats
    high: Floats
    leaves: Ints
    cost: Floats
    bound: float
    rival: int


def bound(forest: Forest, task: Task, meter: Meter, *, boxes: int) -> Bounded:
    """Search a row's nearest misclassified point, looking at so many boxes at most."""
    return _Search(forest, task, meter).run(boxes)


class _Search:
    def __init__(self, forest: Forest, task: Task, meter: Meter) -> None:
        self._forest, self._task, self._meter = forest, task, meter
        self._row = np.append(task.row, 0.0)
        self._gain = forest.value - forest.value[:, [task.true]]
        self._base = forest.base - forest.base[task.true]
        self._base[task.true] = -np.inf
        self._reach = float(self._gain.max() - self._gain.min()) + 1.0
        # sums over trees that are shifted against each other lose the last digits
        self._slack = forest.slack + _DOUBLE * self._reach * forest.n_trees**2
        self._upper = task.upper
        self._point: Floats | None = None

    def run(self, boxes: int) -> Bounded:
        task, every = self._task, np.arange(len(self._forest.tree))
        first = self._box(np.append(task.low, -np.inf), np.append(task.high, np.inf), every, 0.0)
        heap = [] if first is None else [(first.bound, 0, first)]
        looked = 1
        while heap and heap[0][0] < self._upper and looked < boxes:
            box = heapq.heappop(heap)[2]
            for low, high in self._parts(box):
                looked += 1
                part = self._box(low, high, box.leaves, box.bound)
                if part is not None:
                    heapq.heappush(heap, (part.bound, looked, part))
        lower = min(heap[0][0], self._upper) if heap else self._upper
        return Bounded(lower=lower, upper=self._upper, point=self._point, boxes=looked)

    def _box(self, low: Floats, high: Floats, leaves: Ints, least: float) -> _Box | None:
        """Return a box with its bound; None where nothing in it is better than what is known."""
        forest, meter = self._forest, self._meter
        feature = forest.feature[leaves]
        lows, highs = np.maximum(forest.low[leaves], low[feature]), np.minimum(forest.high[leaves], high[feature])
        own = meter.gaps(low, high, self._row, meter.weight)
        cells = meter.gaps(lows, highs, self._row[feature], meter.weight[feature])
        cost = meter.extended(meter.total(own), cells, own[feature])
        kept = np.flatnonzero((lows <= highs).all(axis=1) & (cost < self._upper))
        leaves, cost = leaves[kept], cost[kept]
        present = np.bincount(forest.tree[leaves], minlength=forest.n_trees)
        if not present.all():
            return None
        found, rival = self._critical(leaves, cost)
        found = max(found, least)
        if not found < self._upper:
            return None
        return _Box(low=low, high=high, leaves=leaves, cost=cost, bound=found, rival=rival)

    def _critical(self, leaves: Ints, cost: Floats) -> tuple[float, int]:
        """Smallest cost within which every tree's best leaf together lift some class, and that class."""
        tree = self._forest.tree[leaves]
        order = np.lexsort((cost, tree))
        tree, cost = tree[order], cost[order]
        shift = (tree * self._reach)[:, None]
        best = np.maximum.accumulate(self._gain[leaves[order]] + shift) - shift
        first = np.append(True, tree[1:] != tree[:-1])
        lead = self._base + best[first].sum(axis=0)
        later = np.flatnonzero(~first)
        later = later[np.argsort(cost[later], kind="stable")]
        leads = np.concatenate([lead[None], lead + np.cumsum(best[later] - best[later - 1], axis=0)])
        costs = np.append(cost[first].max(), cost[later])
        reached = leads >= -self._slack
        when = np.where(reached.any(axis=0), costs[np.argmax(reached, axis=0)], np.inf)
        rival = int(np.argmin(when))
        return float(when[rival]), rival

    def _parts(self, box: _Box) -> list[tuple[Floats, Floats]]:
        """Take the point of the best leaves where they have one; return what is left of the box, in two parts."""
        chosen = self._best_leaves(box)
        feature = self._forest.feature[chosen]
        lows, highs = self._forest.low[chosen], self._forest.high[chosen]
        low, high = box.low.copy(), box.high.copy()
        np.maximum.at(low, feature, lows)
        np.minimum.at(high, feature, highs)
        apart = np.flatnonzero(low > high)
        if len(apart):
            return self._parted(box, feature, lows, highs, low, high, apart)
        point = np.clip(self._row, low, high)
        lead = float(self._base[box.rival] + self._gain[chosen, box.rival].sum())
        cost = float(self._meter.total(self._meter.cells(point - self._row, self._meter.weight)))
        if cost < self._upper and self._fools(point[:-1], lead):
            self._upper, self._point = cost, point[:-1]
            if cost <= box.bound * _SAME:
                return []
        return self._around(box, low, high)

    def _fools(self, point: Floats, lead: float) -> bool:
        task = self._task
        if lead < -self._slack or (task.allowed is not None and not task.allowed(point)):
            return False
        return lead > self._slack or task.fooled(point)

    def _best_leaves(self, box: _Box) -> Ints:
        """Leaf of the largest gain of each tree within the box's bound, the nearest of equals."""
        near = np.flatnonzero(box.cost <= box.bound * _SAME)
        tree = self._forest.tree[box.leaves[near]]
        gain = self._gain[box.leaves[near], box.rival]
        order = np.lexsort((box.cost[near], -gain, tree))
        first = np.append(True, tree[order][1:] != tree[order][:-1])
        chosen: Ints = box.leaves[near[order[first]]]
        return chosen

    def _parted(
        self, box: _Box, feature: Ints, lows: Floats, highs: Floats, low: Floats, high: Floats, apart: Ints
    ) -> list[tuple[Floats, Floats]]:
        """Split where the most leaves stand against each other."""
        width = len(low)
        above = np.bincount(feature[lows > high[feature]], minlength=width)
        below = np.bincount(feature[highs < low[feature]], minlength=width)
        pick = int(apart[np.lexsort((-(above + below)[apart], -np.minimum(above, below)[apart]))[0]])
        rising = lows[(feature == pick) & (lows > high[pick])]
        return self._cut(box, pick, float(rising.min()))

    def _around(self, box: _Box, low: Floats, high: Floats) -> list[tuple[Floats, Floats]]:
        """Split at the face of the best leaves' cell that moves the point most; a cell as large as its box is done."""
        inner = self._meter.gaps(low, high, self._row, self._meter.weight)
        outer = self._meter.gaps(box.low, box.high, self._row, self._meter.weight)
        narrower = np.flatnonzero((low > box.low) | (high < box.high))
        if len(narrower) == 0:
            return []
        pick = int(narrower[np.argmax((inner - outer)[narrower])])
        if low[pick] > box.low[pick]:
            return self._cut(box, pick, float(low[pick]))
        return self._cut(box, pick, float(self._forest.after(high[[pick]], np.array([pick]))[0]))

    def _cut(self, box: _Box, column: int, at: float) -> list[tuple[Floats, Floats]]:
        """Parts of a box below a value of a column and from it on."""
        under, over = box.high.copy(), box.low.copy()
        under[column] = self._forest.before(np.array([at]), np.array([column]))[0]
        over[column] = at
        return [(box.low, under), (over, box.high)]
