"""Alternatives as labelled points: the third column of a table against the second, with the front of the best."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from redan.reports.html.markup import Html, el
from redan.reports.html.plane import BOTTOM, HEIGHT, LEFT, WIDTH, Axis, Plane, axis, grid, plot
from redan.reports.tables import number
from redan.reports.visible import visible

if TYPE_CHECKING:
    from redan.core.finding import Table

MOST_POINTS = 60
MOST_LABEL = 22
LINE = 11.0
"""Least distance between two labels."""
LETTER = 5.3
"""Width of a letter of a label, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A row of the table on the paper."""

    name: str
    x: float
    y: float


def scatter(found: Table, *, label: str) -> Html:
    """Draw the first rows as points with their names; both columns count as better to the right and upwards.

    Args:
        found: with names in the first column and numbers in the second and third.
        label: what the drawing shows, for readers who cannot see it.

    Returns:
        Nothing when no row has two finite numbers.
    """
    spots = _spots(found)
    across = _range([s.x for s in spots], found.columns[1:2])
    up = _range([s.y for s in spots], found.columns[2:3])
    if across is None or up is None:
        return Html()
    plane = Plane(x=across, y=up)
    best = front(spots)
    points = [_point(plane, s, best=s in best) for s in spots]
    shapes = [grid(plane, across=_short(found.columns[1])), _steps(plane, best), *points, *_labels(plane, spots)]
    up_name = el("text", _short(found.columns[2]), x=f"{LEFT:g}", y="8", class_="tick")
    return plot(label, *shapes, up_name)


def front(spots: list[Spot]) -> list[Spot]:
    """Return the points that no other one is at least as good as in both and better in one, from left to right."""

    def beaten(one: Spot) -> bool:
        return any(o.x >= one.x and o.y >= one.y and (o.x, o.y) != (one.x, one.y) for o in spots)

    return sorted((s for s in spots if not beaten(s)), key=lambda s: s.x)


def _spots(found: Table) -> list[Spot]:
    if len(found.columns) < 3:
        return []
    spots = []
    for row in found.rows[:MOST_POINTS]:
        x, y = (number(row[k]) if k < len(row) else None for k in (1, 2))
        if x is not None and y is not None and isfinite(x) and isfinite(y):
            spots.append(Spot(name=_short(str(row[0])), x=x, y=y))
    return spots


def _range(values: list[float], unit: tuple[str, ...]) -> Axis | None:
    """Leave room around the points, also around a single one, but none below zero or above a hundred per cent."""
    if not values:
        return None
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5 * abs(low) or 0.5
    start, end = low - room, high + room
    whole = any("%" in name for name in unit) and low < high <= 100
    return axis(max(0.0, start) if low >= 0 else start, min(100.0, end) if whole else end)


def _short(text: str) -> str:
    text = visible(text[: MOST_LABEL + 1])
    return text if len(text) <= MOST_LABEL else f"{text[: MOST_LABEL - 1]}…"


def _point(plane: Plane, spot: Spot, *, best: bool) -> Html:
    x, y = f"{plane.at_x(spot.x):.1f}", f"{plane.at_y(spot.y):.1f}"
    return el("circle", cx=x, cy=y, r="4", class_="spot best" if best else "spot")


def _steps(plane: Plane, best: list[Spot]) -> Html | None:
    """Draw the front as stairs: what lies beyond them nothing that was tried reaches."""
    if not best:
        return None
    places = [(LEFT, plane.at_y(best[0].y))]
    for spot in best:
        x, y = plane.at_x(spot.x), plane.at_y(spot.y)
        places += [(places[-1][0], y), (x, y)]
    places.append((places[-1][0], HEIGHT - BOTTOM))
    return el("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_="front")


def _labels(plane: Plane, spots: list[Spot]) -> list[Html]:
    """Write each name above its point, where the stairs never run, and higher where another name is in the way."""
    taken: list[tuple[float, float, float]] = []
    shown = []
    for spot in sorted(spots, key=lambda s: (s.y, s.x)):
        x, y, wide = plane.at_x(spot.x), plane.at_y(spot.y), LETTER * len(spot.name)
        start = max(1.0, min(x - 4, WIDTH - 2 - wide))
        y = _free(taken, start, start + wide, y - 7)
        taken.append((start, start + wide, y))
        shown.append(el("text", spot.name, x=f"{start:.1f}", y=f"{y:.1f}", class_="name"))
    return shown


def _free(taken: list[tuple[float, float, float]], start: float, end: float, y: float) -> float:
    """Return the first height at or above ``y`` where a name between two ends touches no other."""
    for left, right, height in sorted(taken, key=lambda place: -place[2]):
        if start < right and left < end and abs(height - y) < LINE:
            y = height - LINE
    return y
