"""How near a fitted ensemble errs: for every row a misclassified point and a length below which there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from redan.kernels.attacks.watch import Watch, never, silent
from redan.kernels.trees.bounds import Bounded, Task, bound
from redan.kernels.trees.descent import descend
from redan.kernels.trees.forest import Floats, Forest, Ints, Mask
from redan.kernels.trees.lengths import Meter
from redan.kernels.trees.single import nearest_leaf, samples_of_leaves
from redan.kernels.trees.walk import Columns, Walk

_STARTS = 2
_FEWEST_LOOKS = 30
_SAME = 1 - 1e-9

Labels = Callable[[Floats, Ints], NDArray[np.integer]]
"""The model's classes for points (m, d) that stand for the rows at places (m,)."""
Rooms = Callable[[int], list[tuple[Floats, Floats]]]


def _as_it_is(points: Floats, places: Ints) -> Floats:
    del places
    return points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """Where the points may lie, on the numbers that the library compares.

    Attributes:
        low: (n, d) smallest value of each cell; rows lie inside.
        high: (n, d) largest.
        possible: (n,) rows that can be attacked.
        rooms: boxes to walk in for the row at a place, where more holds than the ends of cells; None for the one box.
        mend: points (m, d) of the rows at places (m,) → the allowed points they stand for.
    """

    low: Floats
    high: Floats
    possible: Mask
    rooms: Rooms | None = None
    mend: Callable[[Floats, Ints], Floats] = _as_it_is


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is spent on a row of an ensemble: lists of steps on the way, boxes below it."""

    looks: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearest:
    """What is known of n rows.

    Attributes:
        points: (n, d) misclassified point where one was found, else the row.
        upper: (n,) length to it; 0 where the row itself is misclassified, inf where none was found.
        lower: (n,) length below which there is none; at most `upper`.
        looked: (n,) rows that were attacked to the end of the effort.
        reason: why it was cut short, or None.
    """

    points: Floats
    upper: Floats
    lower: Floats
    looked: Mask
    reason: str | None

    @property
    def exact(self) -> Mask:
        """Rows whose two lengths are the same, (n,)."""
        same: Mask = self.looked & (self.lower >= self.upper * _SAME)
        return same


def nearest(
    forest: Forest,
    rows: Floats,
    true: Ints,
    space: Space,
    meter: Meter,
    effort: Effort,
    *,
    labels: Labels,
    pool: tuple[Floats, Ints] | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Nearest:
    """Find the nearest misclassified point of each row and a bound below it.

    Args:
        forest: the trees, over whole numbers where the space has them.
        rows: (n, d) clean rows as the library sees them.
        true: (n,) their classes.
        space: where points may lie.
        meter: costs.
        effort: how much is spent on a row of more than one tree; one tree is solved in closed form.
        labels: asks the model; every point that is returned as misclassified was asked about.
        pool: (p, d) points with the model's (p,) classes to start from.
        stop: asked before each row; a text ends the search.
        progress: told how many rows are done.
    """
    watch, n = Watch(stop=stop, progress=progress), len(rows)
    wrong = np.asarray(labels(rows, np.arange(n))) != true
    found = Nearest(
        points=rows.copy(),
        upper=np.where(wrong, 0.0, np.inf),
        lower=np.zeros(n),
        looked=wrong.copy(),
        reason=None,
    )
    left = np.flatnonzero(~wrong & space.possible)
    if forest.n_trees == 1 and space.rooms is None and space.mend is _as_it_is:
        _closed_form(forest, rows, true, space, meter, labels, found, left, watch)
    else:
        none = (np.zeros((0, forest.d)), np.zeros(0, np.int64))
        search = _Search(
            columns=Columns(forest),
            rows=rows,
            true=true,
            space=space,
            meter=meter,
            labels=labels,
            pool=none if pool is None else pool,
        )
        search.run(found, left, effort, watch)
    reason = watch.reason or _verified(found, wrong, true, labels)
    found.upper[:], found.lower[:] = meter.length(found.upper), meter.length(found.lower)
    np.minimum(found.lower, found.upper, out=found.lower)
    return Nearest(points=found.points, upper=found.upper, lower=found.lower, looked=found.looked, reason=reason)


def _closed_form(
    forest: Forest,
    rows: Floats,
    true: Ints,
    space: Space,
    meter: Meter,
    labels: Labels,
    found: Nearest,
    left: Ints,
    watch: Watch,
) -> None:
    if len(left) == 0 or watch.stopped():
        return
    centre = rows[left[0]]
    answers = np.asarray(labels(samples_of_leaves(forest, centre), np.full(len(forest.tree), left[0])), np.int64)
    if watch.stopped():
        return
    points, costs = nearest_leaf(forest, answers, rows[left], true[left], space.low[left], space.high[left], meter)
    found.points[left], found.upper[left], found.lower[left] = points, costs, costs
    found.looked[left] = True
    watch.progress("trees", len(rows), len(rows))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """Rows of an ensemble and everything that their search needs."""

    columns: Columns
    rows: Floats
    true: Ints
    space: Space
    meter: Meter
    labels: Labels
    pool: tuple[Floats, Ints]

    def run(self, found: Nearest, left: Ints, effort: Effort, watch: Watch) -> None:
        """Search row after row; little effort solves many, and what it finds is where the rest begins."""
        little = Effort(looks=min(_FEWEST_LOOKS, effort.looks), boxes=effort.boxes)
        for done, place in enumerate(left.tolist()):
            if watch.stopped():
                return
            below = self._row(place, little, found)
            if below.lower < below.upper * _SAME and effort.looks > little.looks:
                self._row(place, effort, found)
            found.looked[place] = True
            watch.progress("trees", done + 1, len(left))

    def _row(self, place: int, effort: Effort, found: Nearest) -> Bounded:
        """Search above and below; what was found before is kept where it is better."""
        least = float(found.upper[place])
        for point in self._from_above(place, effort.looks, least):
            found.points[place], least = point, self._cost(place, point)
        task = Task(
            row=self.rows[place],
            true=int(self.true[place]),
            low=self.space.low[place],
            high=self.space.high[place],
            upper=least,
            fooled=partial(self._fooled, place=place),
            allowed=None if self.space.mend is _as_it_is else partial(self._allowed, place=place),
        )
        below = bound(self.columns.forest, task, self.meter, boxes=effort.boxes)
        if below.point is not None:
            found.points[place] = below.point
        found.upper[place], found.lower[place] = below.upper, max(below.lower, float(found.lower[place]))
        return below

    def _from_above(self, place: int, looks: int, least: float) -> Iterator[Floats]:
        """Yield better and better points of walks in each room."""
        space, row = self.space, self.rows[place]
        rooms = [(space.low[place], space.high[place])] if space.rooms is None else space.rooms(place)
        for low, high in rooms:
            walk = Walk(self.columns, row, low, high, self.meter)
            went = descend(
                walk,
                int(self.true[place]),
                self._starts(place, low, high),
                slack=self.columns.forest.slack,
                looks=max(_FEWEST_LOOKS, looks // len(rooms)),
                less=least,
            )
            if went.point is None:
                continue
            point = space.mend(went.point[None], np.array([place]))[0]
            cost = self._cost(place, point)
            if cost < least and (np.array_equal(point, went.point) or self._fooled(point, place=place)):
                least = cost
                yield point

    def _starts(self, place: int, low: Floats, high: Floats) -> Floats:
        """Nearest points of other classes, brought into the box."""
        points, classes = self.pool
        others = np.clip(points[classes != self.true[place]], low, high)
        costs = self.meter.total(self.meter.cells(others - self.rows[place], self.meter.weight[:-1]))
        chosen: Floats = others[np.argsort(costs, kind="stable")[:_STARTS]]
        return chosen

    def _cost(self, place: int, point: Floats) -> float:
        return float(self.meter.total(self.meter.cells(point - self.rows[place], self.meter.weight[:-1])))

    def _fooled(self, point: Floats, *, place: int) -> bool:
        return int(self.labels(point[None], np.array([place]))[0]) != int(self.true[place])

    def _allowed(self, point: Floats, *, place: int) -> bool:
        return np.array_equal(self.space.mend(point[None], np.array([place]))[0], point)


def _verified(found: Nearest, wrong: Mask, true: Ints, labels: Labels) -> str | None:
    """Ask about every point once more; one that the model is right about is taken back."""
    claimed = np.flatnonzero(np.isfinite(found.upper) & ~wrong)
    if len(claimed) == 0:
        return None
    held = claimed[np.asarray(labels(found.points[claimed], claimed)) == true[claimed]]
    if len(held) == 0:
        return None
    found.upper[held], found.lower[held], found.looked[held] = np.inf, 0.0, False
    return f"the model answers {len(held)} points otherwise than its trees say"
