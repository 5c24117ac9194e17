"""Nearest misclassified point of an ensemble, from above: climb out of the class, then come back as far as it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from redan.kernels.trees.forest import Floats
from redan.kernels.trees.walk import Steps, Walk

_CLASSES = 3
"""Classes that the walk heads for: the best scored ones other than its own."""
_CHEAP = 1e-3
"""Share of the usual cost of a step that a free step is taken to cost, so that gains of free steps compare."""
_BETTER = 1 - 1e-9
_TRIED = 8
"""Columns that are put back in turn when nothing else helps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Descended:
    """The best point found: (d,) or None, and its cost."""

    point: Floats | None
    cost: float


def descend(walk: Walk, true: int, starts: Floats, *, slack: float, looks: int, less: float = np.inf) -> Descended:
    """Search a misclassified point at little cost.

    Args:
        walk: at the row.
        true: the row's class.
        starts: (m, d) points inside the box that may be misclassified, the most promising first.
        slack: by how much another class must win.
        looks: how often the steps may be listed.
        less: cost of a point that is known already.
    """
    search = _Search(walk, true, slack, looks, less)
    rivals = np.argsort(-np.where(np.arange(len(walk.scores)) == true, -np.inf, walk.scores), kind="stable")
    for rival in rivals[: min(_CLASSES, len(rivals) - 1)]:
        walk.put(walk.home)
        if search.climb(int(rival)):
            search.improve()
    for start in starts:
        walk.put(start)
        if search.fooled():
            search.improve()
    return Descended(point=search.best, cost=search.least if search.best is not None else np.inf)


class _Search:
    def __init__(self, walk: Walk, true: int, slack: float, looks: int, less: float) -> None:
        self._walk, self._true, self._slack = walk, true, slack
        self._last = walk.seen + looks
        self.best: Floats | None = None
        self.least = less

    def fooled(self) -> bool:
        """Whether the point is misclassified, by more than rounding."""
        return bool(self._margins(self._walk.scores[None])[0] > self._slack)

    def climb(self, rival: int) -> bool:
        """Take the steps that bring a class nearest per cost until any class wins; False where none helps."""
        walk = self._walk
        while not self.fooled():
            if walk.seen >= self._last:
                return False
            steps = walk.steps()
            ahead = steps.scores[:, rival] - steps.scores[:, self._true]
            lead = float(walk.scores[rival] - walk.scores[self._true])
            gain = np.minimum(ahead, 2 * self._slack) - lead
            costs = walk.costs(steps)
            good = np.flatnonzero((gain > 0) & (costs < self.least))
            if len(good) == 0:
                return False
            price = np.maximum(costs[good] - walk.cost, 0.0)
            free = _CHEAP * max(float(np.median(price)), 1e-12)
            self._take(steps, int(good[np.argmax(gain[good] / (price + free))]))
        return True

    def improve(self) -> None:
        """Relax, keep what is best, and try to do without one column after the other."""
        self._relax()
        while self._walk.seen < self._last:
            if not self._without_one():
                return

    def _relax(self) -> None:
        """Take the steps that save most while the point stays misclassified."""
        walk = self._walk
        walk.settle()
        while walk.seen < self._last:
            steps = walk.steps()
            costs = walk.costs(steps) + 1e-6 * (steps.cells - walk.cells[steps.feature])
            costs = np.where(self._margins(steps.scores) > self._slack, costs, np.inf)
            if len(costs) == 0 or not costs.min() < walk.cost - 1e-9 * max(walk.cost, 1e-12):
                break
            self._take(steps, int(np.argmin(costs)))
        if walk.cost < self.least:
            self.best, self.least = walk.point.copy(), walk.cost

    def _without_one(self) -> bool:
        """Put a dear column back, climb elsewhere for less, relax; whether that led to a better point."""
        walk, before, least = self._walk, self._walk.point.copy(), self.least
        dear = np.argsort(-walk.cells, kind="stable")[:_TRIED]
        for column in dear[walk.cells[dear] > 0].tolist():
            walk.put(before)
            self._put_back(column)
            rival = int(np.argmax(np.where(np.arange(len(walk.scores)) == self._true, -np.inf, walk.scores)))
            if self.climb(rival) and walk.cost < least:
                self._relax()
                if self.least < least * _BETTER:
                    return True
            if walk.seen >= self._last:
                break
        walk.put(before)
        return False

    def _put_back(self, column: int) -> None:
        """Move a column one cell towards the row, or where the largest move counts all columns that move as far."""
        walk = self._walk
        together = np.flatnonzero(walk.cells >= walk.cells[column] * _BETTER) if walk.largest else np.array([column])
        for each in together.tolist():
            steps = walk.steps()
            nearer = np.flatnonzero((steps.feature == each) & (steps.cells < walk.cells[each] * _BETTER))
            if len(nearer):
                # the next cell where a smaller step counts, the cheapest where the sum does
                pick = np.argmax(steps.cells[nearer]) if walk.largest else np.argmin(steps.cells[nearer])
                self._take(steps, int(nearer[pick]), settle=False)
        walk.settle()

    def _take(self, steps: Steps, chosen: int, *, settle: bool = True) -> None:
        self._walk.move(int(steps.feature[chosen]), float(steps.value[chosen]))
        if settle:
            self._walk.settle()

    def _margins(self, scores: Floats) -> Floats:
        others = np.where(np.arange(scores.shape[1]) == self._true, -np.inf, scores)
        found: Floats = others.max(axis=1) - scores[:, self._true]
        return found
