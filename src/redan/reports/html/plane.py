"""Axes of a chart: round steps, and where a value lies on the paper."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite, log10

from redan.reports.figures import figure
from redan.reports.html.markup import Html, el

WIDTH, HEIGHT = 340.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 12.0, 40.0
"""Margins in units of the chart; axis labels stand in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A range with round ends and the step between its ticks."""

    low: float
    high: float
    step: float

    def ticks(self) -> list[float]:
        """Return the values that are written beside the axis."""
        first = round(self.low / self.step)
        return [round((first + k) * self.step, 12) for k in range(round((self.high - self.low) / self.step) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Two axes."""

    x: Axis
    y: Axis

    def at_x(self, value: float) -> float:
        """Return how far to the right a value lies."""
        return LEFT + (value - self.x.low) / (self.x.high - self.x.low) * (WIDTH - LEFT - RIGHT)

    def at_y(self, value: float) -> float:
        """Return how far down a value lies, one beyond the axis at its end."""
        inside = min(self.y.high, max(self.y.low, value))
        return HEIGHT - BOTTOM - (inside - self.y.low) / (self.y.high - self.y.low) * (HEIGHT - TOP - BOTTOM)


def axis(low: float, high: float) -> Axis | None:
    """Choose a round step so that about four ticks cover the range; None where floating point cannot."""
    span = high - low
    if not (isfinite(span) and 1e-9 * max(abs(low), abs(high), 1e-290) < span):
        return None
    power = 10.0 ** floor(log10(span / 4))
    step = next((power * k for k in (1, 2, 2.5, 5) if span / (power * k) <= 5.01), power * 10)
    start, end = floor(low / step + 1e-9) * step, -floor(-high / step + 1e-9) * step
    return Axis(low=start, high=end, step=step) if isfinite(start) and isfinite(end) and end > start else None


def grid(plane: Plane, *, across: str, y_unit: str = "") -> Html:
    """Draw the rules, the ticks and the name of the axis across."""
    left, right, floor_y = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM
    shapes: list[Html] = []
    for tick in plane.y.ticks():
        y = f"{plane.at_y(tick):.1f}"
        shapes.append(el("line", x1=f"{left:g}", x2=f"{right:g}", y1=y, y2=y, class_="rule"))
        shapes.append(el("text", _tick(tick, y_unit), x=f"{left - 6:g}", y=y, class_="tick end", dy="3.5"))
    for tick in plane.x.ticks():
        x = f"{plane.at_x(tick):.1f}"
        shapes.append(el("line", x1=x, x2=x, y1=f"{floor_y:g}", y2=f"{floor_y + 4:g}", class_="rule"))
        shapes.append(el("text", f"{tick:g}", x=x, y=f"{floor_y + 16:g}", class_="tick middle"))
    shapes.append(el("text", across, x=f"{(left + right) / 2:g}", y=f"{HEIGHT - 6:g}", class_="tick middle"))
    return el("g", *shapes)


def plot(label: str, *shapes: Html | None) -> Html:
    """Return a drawing with words for readers who cannot see it."""
    return el("svg", *shapes, class_="plot", viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=label)


def _tick(value: float, unit: str) -> str:
    return f"{value * 100:g} %" if unit == "fraction" else figure(value)
