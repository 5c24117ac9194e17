"""What may change in a row of a table, by the places of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.kernels.constraints.relations import Relation

Rows: TypeAlias = NDArray[np.float64]
"""Rows of a table on the owner's scale, (n, d)."""
Mask: TypeAlias = NDArray[np.bool_]

_STEPS = 24
_SHRINK = 0.8
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
"""How far a value may lie outside and still count as inside: what float32 loses."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constraints:
    """Rules for rows of d columns, on the owner's scale.

    A cell that is missing (NaN) in the clean row stays missing.

    Attributes:
        columns: names of the columns.
        low: (d,) lowest legal value, -inf where open.
        high: (d,) highest legal value, inf where open.
        integer: (d,) bool; whole numbers only.
        immutable: (d,) bool.
        up: (d,) bool; can only grow.
        down: (d,) bool; can only fall.
        groups: places of the columns of each one-hot group.
        relations: linear relations that hold in every row.
        unit_cost: (d,) what a change by one costs; in a group, what becoming that one costs.
        most_cost: most that the changes of a row may cost, inf without limit.
    """

    columns: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    integer: Mask
    immutable: Mask
    up: Mask
    down: Mask
    groups: tuple[tuple[int, ...], ...]
    relations: tuple[Relation, ...]
    unit_cost: NDArray[np.float64]
    most_cost: float

    def interval(self, clean: NDArray[Any]) -> tuple[Rows, Rows]:
        """Return the lowest and highest value each cell of clean rows (n, d) can take, each (n, d)."""
        clean = np.asarray(clean, np.float64)
        low = np.where(self.immutable | self.up, np.maximum(clean, self.low), self.low)
        high = np.where(self.immutable | self.down, np.minimum(clean, self.high), self.high)
        return low, high

    def project(
        self, x: NDArray[Any], clean: NDArray[Any], *, low: NDArray[Any] | None = None, high: NDArray[Any] | None = None
    ) -> Rows:
        """Return an allowed row near each row of x.

        Whole numbers are rounded, groups take their largest column, relations set their left column; where that does
        not help the row goes back towards the clean one. A row whose clean one breaks the rules stays clean.
        Projecting twice gives the same as once.

        Args:
            x: rows (n, d).
            clean: rows they were made from, (n, d).
            low: (n, d) further lower ends, not above clean; an attack's ball.
            high: (n, d) further upper ends, not below clean.
        """
        x, clean = np.asarray(x, np.float64), np.asarray(clean, np.float64)
        lower, upper = self.interval(clean)
        lower = lower if low is None else np.maximum(lower, low)
        upper = upper if high is None else np.minimum(upper, high)
        # a clean value an ulp outside its range is inside, so the ends must not cut it off
        lower, upper = np.fmin(lower, clean), np.fmax(upper, clean)
        rows, possible = clean.copy(), np.flatnonzero(self.feasible(clean, clean))
        x, clean, lower, upper = (each[possible] for each in (x, clean, lower, upper))
        rows[possible] = toward(
            np.where(np.isfinite(x), x, clean),
            clean,
            settle=lambda moved, at: self._settled(moved, clean[at], lower[at], upper[at]),
            accept=lambda moved, at: self.feasible(moved, clean[at]),
        )
        return rows

    def violations(self, x: NDArray[Any], clean: NDArray[Any]) -> Mapping[str, Mask]:
        """Return for each rule which rows (n, d) break it, (n,) bool; only rules that are declared appear."""
        x, clean = np.asarray(x, np.float64), np.asarray(clean, np.float64)
        slack = _RELATIVE * np.abs(clean) + _ABSOLUTE
        grown, fallen = x - clean > slack, clean - x > slack
        outside = (x < self.low - _slack(self.low)) | (x > self.high + _slack(self.high))
        one_hot = np.zeros(len(x), bool)
        for group in self.groups:
            one_hot |= _broken(x[:, list(group)])
        found = {
            "missing": (np.isnan(x) != np.isnan(clean)).any(axis=1),
            "range": outside.any(axis=1),
            "integer": (self.integer & (np.abs(x - np.round(x)) > slack)).any(axis=1),
            "immutable": (self.immutable & (grown | fallen)).any(axis=1),
            "only_up": (self.up & fallen).any(axis=1),
            "only_down": (self.down & grown).any(axis=1),
            "one_hot": one_hot,
            **{r.text: r.excess(x) > 0 for r in self.relations},
            "most_cost": self.cost(x, clean) > self.most_cost * (1 + _RELATIVE) + _ABSOLUTE,
        }
        declared = self._declared()
        return {name: mask for name, mask in found.items() if name in declared}

    def feasible(self, x: NDArray[Any], clean: NDArray[Any]) -> Mask:
        """Return which rows break no rule, (n,)."""
        broken = self.violations(x, clean)
        good: Mask = ~np.any(np.array(list(broken.values())), axis=0)
        return good

    def cost(self, x: NDArray[Any], clean: NDArray[Any]) -> NDArray[np.float64]:
        """Return what turning each clean row into its row of x costs, (n,)."""
        x, clean = np.asarray(x, np.float64), np.asarray(clean, np.float64)
        moves = np.nan_to_num(x - clean, nan=0.0)
        grouped = [place for group in self.groups for place in group]
        lengths = np.abs(moves)
        # of a group only the column that becomes 1 costs
        lengths[:, grouped] = np.maximum(moves[:, grouped], 0.0)
        total: NDArray[np.float64] = lengths @ self.unit_cost
        return total

    def _declared(self) -> set[str]:
        masks = {"integer": self.integer, "immutable": self.immutable, "only_up": self.up, "only_down": self.down}
        some = {name for name, mask in masks.items() if mask.any()} | {r.text for r in self.relations} | {"missing"}
        some |= {"range"} if (np.isfinite(self.low) | np.isfinite(self.high)).any() else set()
        some |= {"one_hot"} if self.groups else set()
        return some | ({"most_cost"} if np.isfinite(self.most_cost) else set())

    def _settled(self, x: Rows, clean: Rows, lower: Rows, upper: Rows) -> Rows:
        """Everything but the way back: rounded, clipped, one of each group, relations' left columns set."""
        rows = self._cells(x, lower, upper)
        for group in self.groups:
            places = list(group)
            rows[:, places] = _one(x[:, places], clean[:, places], lower[:, places], upper[:, places])
        for relation in self.relations:
            broken = relation.excess(rows) > 0
            column = relation.left
            wanted = rows.copy()
            wanted[:, column] = relation.mended(rows)
            rows[broken, column] = self._mended(wanted, lower, upper, relation)[broken]
        return np.where(np.isnan(clean), clean, rows)

    def _cells(self, x: Rows, lower: Rows, upper: Rows) -> Rows:
        rows = np.clip(x, lower, upper)
        whole = np.clip(np.round(rows), np.ceil(lower - _slack(lower)), np.floor(upper + _slack(upper)))
        return np.where(self.integer, whole, rows)

    def _mended(self, wanted: Rows, lower: Rows, upper: Rows, relation: Relation) -> NDArray[np.float64]:
        value = wanted[:, relation.left]
        if self.integer[relation.left]:
            # to the side on which an inequality still holds
            value = {"=": np.round(value), "<=": np.floor(value), ">=": np.ceil(value)}[relation.sign]
        clipped: NDArray[np.float64] = np.clip(value, lower[:, relation.left], upper[:, relation.left])
        return clipped


def toward(
    x: Rows,
    clean: Rows,
    *,
    settle: Callable[[Rows, NDArray[np.int64]], Rows],
    accept: Callable[[Rows, NDArray[np.int64]], Mask],
) -> Rows:
    """Go from each row of x towards its clean one until what `settle` makes of it is accepted; clean at the end.

    Args:
        x: rows (n, d).
        clean: rows to fall back to, (n, d).
        settle: rows (m, d) and their places (m,) → the rows they stand for.
        accept: those rows and their places → which are good, (m,).
    """
    rows, left, share = clean.copy(), np.arange(len(x)), 1.0
    for _ in range(_STEPS):
        if len(left) == 0:
            break
        settled = settle(clean[left] + share * (x[left] - clean[left]) if share < 1 else x[left], left)
        good = accept(settled, left)
        rows[left[good]] = settled[good]
        left, share = left[~good], share * _SHRINK
    return rows


def _slack(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(ends), _RELATIVE * np.abs(ends) + _ABSOLUTE, 0.0)


def _broken(group: Rows) -> Mask:
    near = np.abs(group - np.round(group)) <= _ABSOLUTE + _RELATIVE
    whole = np.round(group)
    held: Mask = ~(near & ((whole == 0) | (whole == 1))).all(axis=1) | (whole.sum(axis=1) != 1)
    return held


def _one(x: Rows, clean: Rows, lower: Rows, upper: Rows) -> Rows:
    """Put 1 at the largest column that can be reached; the clean one where two are equally large."""
    was = clean.argmax(axis=1)
    rows = np.arange(len(x))
    leaves = lower[rows, was] <= 0
    reachable = (upper >= 1) & leaves[:, None]
    reachable[rows, was] = True
    now = np.where(reachable, x, -np.inf)
    best = now.argmax(axis=1)
    best = np.where(now[rows, was] >= now[rows, best], was, best)
    return np.asarray(np.eye(x.shape[1])[best])
