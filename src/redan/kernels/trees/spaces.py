"""Where a row of a table may go, on the numbers that a forest compares: the box, and the rules of its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redan.kernels.constraints.table import Constraints
from redan.kernels.trees.forest import Floats, Forest, Ints, Mask
from redan.kernels.trees.nearest import Space

MOST_ROOMS = 24
"""Choices of categories that are walked in for one row: its own, and one group changed at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """A forest over the whole numbers that rules demand, rows as it sees them, and where they may go."""

    forest: Forest
    rows: Floats
    space: Space


def ground(
    forest: Forest, clean: NDArray[np.floating], low: Floats, high: Floats, constraints: Constraints | None
) -> Ground:
    """Prepare rows for a search.

    Ranges, whole numbers, columns that nobody can change and those that can only grow or fall narrow the boxes. Of
    one-hot groups the boxes keep only that every column is 0 or 1; the walks hold one category each. Relations and a
    limit of cost are kept by projection.

    Args:
        forest: the trees.
        clean: (n, d) rows on the owner's scale.
        low: (d,) smallest legal values.
        high: (d,) largest.
        constraints: the owner's rules, None without any.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rows = forest.read(clean)
    possible: Mask = np.asarray(np.isfinite(rows).all(axis=1))
    rows = np.where(possible[:, None], rows, 0.0)
    lows, highs = np.broadcast_to(low, rows.shape), np.broadcast_to(high, rows.shape)
    if constraints is None:
        lows, highs = forest.inside(lows, highs)
        space = Space(low=np.minimum(lows, rows), high=np.maximum(highs, rows), possible=possible)
        return Ground(forest=forest, rows=rows, space=space)
    members = np.zeros(forest.d, np.bool_)
    members[[place for group in constraints.groups for place in group]] = True
    forest = forest.with_whole(constraints.integer | members)
    own_low, own_high = constraints.interval(rows)
    lows = np.maximum(np.maximum(lows, own_low), np.where(members, 0.0, -np.inf))
    highs = np.minimum(np.minimum(highs, own_high), np.where(members, 1.0, np.inf))
    lows, highs = forest.inside(lows, highs)
    possible = possible & constraints.feasible(clean, clean) & (~forest.whole | (rows == np.round(rows))).all(axis=1)
    rules = _Rules(constraints, forest, np.asarray(clean, np.float64), rows)
    bent = bool(constraints.groups or constraints.relations or np.isfinite(constraints.most_cost))
    lows, highs = np.minimum(lows, rows), np.maximum(highs, rows)
    return Ground(
        forest=forest, rows=rows, space=_space(lows, highs, possible, constraints, rows, rules if bent else None)
    )


def _space(
    low: Floats, high: Floats, possible: Mask, constraints: Constraints, rows: Floats, rules: _Rules | None
) -> Space:
    if rules is None:
        return Space(low=low, high=high, possible=possible)
    rooms = _rooms(constraints.groups, rows, low, high) if constraints.groups else None
    return Space(low=low, high=high, possible=possible, rooms=rooms, mend=rules.mend)


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    constraints: Constraints
    forest: Forest
    clean: Floats
    rows: Floats

    def mend(self, points: Floats, places: Ints) -> Floats:
        """Return the allowed points near points (m, d), as the forest sees them."""
        clean, rows = self.clean[places], self.rows[places]
        allowed = self.constraints.project(np.where(points == rows, clean, points), clean)
        seen = np.where(allowed == clean, rows, self.forest.read(allowed))
        good = self.constraints.feasible(np.where(seen == rows, clean, seen), clean)
        return np.where(good[:, None], seen, rows)


def _rooms(
    groups: tuple[tuple[int, ...], ...], rows: Floats, low: Floats, high: Floats
) -> Callable[[int], list[tuple[Floats, Floats]]]:
    every = [place for group in groups for place in group]

    def rooms(place: int) -> list[tuple[Floats, Floats]]:
        row, least, most = rows[place], low[place].copy(), high[place].copy()
        least[every] = most[every] = row[every]
        found = [(least, most)]
        for group in groups:
            columns = np.array(group)
            own = int(row[columns].argmax())
            for category in range(len(columns)):
                reachable = high[place, columns[category]] >= 1 and low[place, columns[own]] <= 0
                if category == own or not reachable or len(found) == MOST_ROOMS:
                    continue
                other = row.copy()
                other[columns] = np.arange(len(columns)) == category
                found.append(
                    (
                        np.where(np.isin(np.arange(len(row)), every), other, least),
                        np.where(np.isin(np.arange(len(row)), every), other, most),
                    )
                )
        return found

    return rooms
