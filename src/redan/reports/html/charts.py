"""Charts as inline SVG, drawn with classes so that the page's own colours apply; each repeats numbers told in text."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite, isnan, log10
from typing import TYPE_CHECKING

from redan.reports.figures import figure
from redan.reports.html.markup import Html, el

if TYPE_CHECKING:
    from redan.core.finding import Series

WIDTH, HEIGHT = 340.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 12.0, 40.0
"""Margins of the line chart in its own units; axis labels stand in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One entry of a series; None where the series does not say."""

    x: float | str
    y: float
    low: float | None
    high: float | None
    n: int | None


def points(series: Series) -> list[Point]:
    """Return the entries of a series; its optional columns may be shorter than its values."""

    def at(column: tuple[float, ...], k: int) -> float | None:
        return column[k] if k < len(column) else None

    return [
        Point(x=x, y=y, low=at(series.low, k), high=at(series.high, k), n=series.n[k] if k < len(series.n) else None)
        for k, (x, y) in enumerate(zip(series.x, series.y, strict=False))
    ]


def _share(value: float | None, most: float) -> float:
    """Return a value as per cent of the scale, within it; 0 for what is no number."""
    if value is None or isnan(value) or most <= 0:
        return 0.0
    return 100 * min(1.0, max(0.0, value / most))


def _rect(x: float, width: float, kind: str, *, y: float = 0.0, height: float = 10.0) -> Html:
    return el("rect", x=f"{x:.2f}", y=f"{y:g}", width=f"{max(width, 0.0):.2f}", height=f"{height:g}", class_=kind)


def rate_bar(
    value: float, low: float | None, high: float | None, *, most: float = 1.0, twin: float | None = None
) -> Html:
    """Draw a bar from 0 to a value, its interval as a lighter band with an end mark, and a twin value as a notch."""
    end, start, stop = _share(value, most), _share(low, most), _share(high, most)
    shapes = [_rect(0, 100, "track"), _rect(0, end, "fill")]
    if low is not None and high is not None and stop > start:
        shapes += [_rect(start, stop - start, "band", y=3, height=4)]
        shapes += [_rect(min(99.4, max(0, edge - 0.3)), 0.6, "edge", y=1, height=8) for edge in (start, stop)]
    if twin is not None:
        shapes.append(_rect(min(99.0, _share(twin, most)), 1.0, "twin"))
    return _bar(shapes)


def span_bar(start: float, end: float, most: float, kind: str) -> Html:
    """Draw a bar that floats between two values."""
    left, right = _share(start, most), _share(end, most)
    return _bar([_rect(0, 100, "track"), _rect(left, max(right - left, 0.4 if end > start else 0.0), kind)])


def _bar(shapes: list[Html]) -> Html:
    return el("svg", *shapes, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def line_chart(series: Series, *, label: str, mark: float | None = None) -> Html:
    """Draw y against a numeric x with its interval as a band; nothing when fewer than two points are finite.

    Args:
        series: with numbers as x.
        label: what the chart shows, for readers who cannot see it.
        mark: an x to mark with a dashed line.
    """
    found = [p for p in points(series) if not isinstance(p.x, str) and isfinite(p.x) and isfinite(p.y)]
    if len(found) < 2:
        return Html()
    xs = [float(p.x) for p in found]
    ends = [v for p in found for v in (p.y, p.low, p.high) if v is not None and isfinite(v)]
    across, up = (
        _axis(min(xs), max(xs)),
        _axis(*((0.0, 1.0) if series.y_unit == "fraction" else (min(0.0, *ends), max(ends)))),
    )
    if across is None or up is None:
        return Html()
    plane = _Plane(x=across, y=up)
    shapes = [_grid(plane, series), _band(plane, found), _curve(plane, found), _mark(plane, mark, xs)]
    return el("svg", *shapes, class_="plot", viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=label)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    low: float
    high: float
    step: float

    def ticks(self) -> list[float]:
        first = round(self.low / self.step)
        return [round((first + k) * self.step, 12) for k in range(round((self.high - self.low) / self.step) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plane:
    x: _Axis
    y: _Axis

    def at_x(self, value: float) -> float:
        return LEFT + (value - self.x.low) / (self.x.high - self.x.low) * (WIDTH - LEFT - RIGHT)

    def at_y(self, value: float) -> float:
        inside = min(self.y.high, max(self.y.low, value))
        return HEIGHT - BOTTOM - (inside - self.y.low) / (self.y.high - self.y.low) * (HEIGHT - TOP - BOTTOM)


def _axis(low: float, high: float) -> _Axis | None:
    """Choose a round step so that about four ticks cover the range; None where floating point cannot."""
    span = high - low
    if not (isfinite(span) and 1e-9 * max(abs(low), abs(high), 1e-290) < span):
        return None
    power = 10.0 ** floor(log10(span / 4))
    step = next((power * k for k in (1, 2, 2.5, 5) if span / (power * k) <= 5.01), power * 10)
    start, end = floor(low / step + 1e-9) * step, -floor(-high / step + 1e-9) * step
    return _Axis(low=start, high=end, step=step) if isfinite(start) and isfinite(end) and end > start else None


def _grid(plane: _Plane, series: Series) -> Html:
    left, right, floor_y = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM
    shapes: list[Html] = []
    for tick in plane.y.ticks():
        y = f"{plane.at_y(tick):.1f}"
        shapes.append(el("line", x1=f"{left:g}", x2=f"{right:g}", y1=y, y2=y, class_="rule"))
        shapes.append(el("text", _tick(tick, series.y_unit), x=f"{left - 6:g}", y=y, class_="tick end", dy="3.5"))
    for tick in plane.x.ticks():
        x = f"{plane.at_x(tick):.1f}"
        shapes.append(el("line", x1=x, x2=x, y1=f"{floor_y:g}", y2=f"{floor_y + 4:g}", class_="rule"))
        shapes.append(el("text", f"{tick:g}", x=x, y=f"{floor_y + 16:g}", class_="tick middle"))
    name = series.x_unit or "x"
    shapes.append(el("text", name, x=f"{(left + right) / 2:g}", y=f"{HEIGHT - 6:g}", class_="tick middle"))
    return el("g", *shapes)


def _tick(value: float, unit: str) -> str:
    return f"{value * 100:g} %" if unit == "fraction" else figure(value)


def _band(plane: _Plane, found: list[Point]) -> Html | None:
    whole = [(float(p.x), p.low, p.high) for p in found if p.low is not None and p.high is not None]
    edges = [(x, low, high) for x, low, high in whole if isfinite(low) and isfinite(high)]
    if len(edges) < 2:
        return None
    there = [f"{plane.at_x(x):.1f},{plane.at_y(high):.1f}" for x, _, high in edges]
    back = [f"{plane.at_x(x):.1f},{plane.at_y(low):.1f}" for x, low, _ in reversed(edges)]
    return el("polygon", points=" ".join([*there, *back]), class_="area")


def _curve(plane: _Plane, found: list[Point]) -> Html:
    places = [(plane.at_x(float(p.x)), plane.at_y(p.y)) for p in found]
    line = el("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_="curve")
    dots = [el("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", class_="dot") for x, y in places]
    return el("g", line, *dots)


def _mark(plane: _Plane, mark: float | None, xs: list[float]) -> Html | None:
    if mark is None or not min(xs) <= mark <= max(xs):
        return None
    x = f"{plane.at_x(mark):.1f}"
    return el("line", x1=x, x2=x, y1=f"{TOP:g}", y2=f"{HEIGHT - BOTTOM:g}", class_="mark")
