"""A curve with its interval, what it is compared with, and a histogram: number against number."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

from redan.reports.html.charts import Point, points
from redan.reports.html.markup import Html, el
from redan.reports.html.plane import BOTTOM, HEIGHT, TOP, Axis, Plane, axis, grid, plot

if TYPE_CHECKING:
    from redan.core.finding import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A second curve in the same chart.

    Attributes:
        series: its points.
        role: ``certified`` lies below and shades what is between, ``before`` is what it was before a mitigation.
    """

    series: Series
    role: Literal["certified", "before"]


def line_chart(series: Series, *, label: str, mark: float | None = None, beside: Beside | None = None) -> Html:
    """Draw y against a numeric x with its interval as a band; nothing when fewer than two points are finite.

    Args:
        series: with numbers as x.
        label: what the chart shows, for readers who cannot see it.
        mark: an x to mark with a dashed line.
        beside: a second curve, cut to the range of the first.
    """
    found = _finite(series)
    if len(found) < 2:
        return Html()
    xs = [float(p.x) for p in found]
    other = [p for p in _finite(beside.series) if min(xs) <= float(p.x) <= max(xs)] if beside else []
    across, up = axis(min(xs), max(xs)), _upward(found, series.y_unit)
    if across is None or up is None:
        return Html()
    plane = Plane(x=across, y=up)
    return plot(
        label,
        grid(plane, across=series.x_unit or "x", y_unit=series.y_unit),
        _between(plane, found, other) if beside and beside.role == "certified" else None,
        _band(plane, found),
        _curve(plane, other, beside.role) if beside and len(other) > 1 else None,
        _curve(plane, found),
        _mark(plane, mark, xs),
    )


def histogram(series: Series, *, label: str, mark: float | None = None) -> Html:
    """Draw counts as bars on equal bins whose lower edges are the series' x; nothing where that is not possible."""
    found = _finite(series)
    xs = [float(p.x) for p in found]
    if len(found) < 2 or xs != sorted(set(xs)):
        return Html()
    wide = xs[1] - xs[0]
    across, up = axis(xs[0], xs[-1] + wide), axis(0.0, max(p.y for p in found))
    if across is None or up is None:
        return Html()
    plane = Plane(x=across, y=up)
    bars = [_bar(plane, x, wide, p.y) for x, p in zip(xs, found, strict=True)]
    ends = [xs[0], xs[-1] + wide]
    return plot(label, grid(plane, across=series.x_unit or "x"), el("g", *bars), _mark(plane, mark, ends))


def _finite(series: Series) -> list[Point]:
    return [p for p in points(series) if not isinstance(p.x, str) and isfinite(p.x) and isfinite(p.y)]


def _upward(found: list[Point], unit: str) -> Axis | None:
    if unit == "fraction":
        return axis(0.0, 1.0)
    ends = [v for p in found for v in (p.y, p.low, p.high) if v is not None and isfinite(v)]
    return axis(min(0.0, *ends), max(ends))


def _bar(plane: Plane, x: float, wide: float, count: float) -> Html:
    left, right = plane.at_x(x), plane.at_x(x + wide)
    top, floor_y = plane.at_y(count), plane.at_y(0.0)
    return el(
        "rect",
        x=f"{left + 0.5:.1f}",
        width=f"{max(0.5, right - left - 1):.1f}",
        y=f"{top:.1f}",
        height=f"{max(0.0, floor_y - top):.1f}",
        class_="fill",
    )


def _place(plane: Plane, x: float, y: float) -> str:
    return f"{plane.at_x(x):.1f},{plane.at_y(y):.1f}"


def _band(plane: Plane, found: list[Point]) -> Html | None:
    whole = [(float(p.x), p.low, p.high) for p in found if p.low is not None and p.high is not None]
    edges = [(x, low, high) for x, low, high in whole if isfinite(low) and isfinite(high)]
    if len(edges) < 2:
        return None
    there = [_place(plane, x, high) for x, _, high in edges]
    back = [_place(plane, x, low) for x, low, _ in reversed(edges)]
    return el("polygon", points=" ".join([*there, *back]), class_="area")


def _between(plane: Plane, upper: list[Point], lower: list[Point]) -> Html | None:
    """Shade what lies between the attacked and the certified curve: the true accuracy is somewhere in it."""
    if len(lower) < 2:
        return None
    first, last = (float(lower[k].x) for k in (0, -1))
    there = [_place(plane, float(p.x), p.y) for p in upper if first <= float(p.x) <= last]
    back = [_place(plane, float(p.x), p.y) for p in reversed(lower)]
    return el("polygon", points=" ".join([*there, *back]), class_="between")


def _curve(plane: Plane, found: list[Point], role: str = "") -> Html:
    places = [(plane.at_x(float(p.x)), plane.at_y(p.y)) for p in found]
    line = el("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=f"curve {role}".strip())
    dots = [el("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="2.5", class_=f"dot {role}".strip()) for x, y in places]
    return el("g", line, *dots)


def _mark(plane: Plane, mark: float | None, xs: list[float]) -> Html | None:
    if mark is None or not min(xs) <= mark <= max(xs):
        return None
    x = f"{plane.at_x(mark):.1f}"
    return el("line", x1=x, x2=x, y1=f"{TOP:g}", y2=f"{HEIGHT - BOTTOM:g}", class_="mark")
