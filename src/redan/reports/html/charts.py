"""Bars as inline SVG, drawn with classes so that the page's own colours apply; each repeats numbers told in text."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from redan.reports.html.markup import Html, el

if TYPE_CHECKING:
    from redan.core.finding import Series


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
