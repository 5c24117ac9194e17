"""Numbers as people read them, always with their unit, sample size and interval."""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING

from redan.reports.visible import visible

if TYPE_CHECKING:
    from redan.core.finding import Quantity


GLUE = "\u00a0"
"""No-break space between a number and its unit, so that no line ends between the two."""


def figure(value: float, unit: str = "") -> str:
    """Write one number with its unit; a fraction becomes a percentage that rounds to 0 or 100 only when it is."""
    if not isfinite(value):
        return "not a number" if isnan(value) else ("infinite" if value > 0 else "minus infinite")
    if unit == "fraction":
        return f"{_percent(value * 100)}{GLUE}%" if abs(value) < 1e6 else f"{_number(value)}{GLUE}(fraction)"
    return _number(value) if unit in ("", "count") else f"{_number(value)}{GLUE}{visible(unit)}"


def _percent(value: float) -> str:
    """One decimal, and two significant digits of the distance to 0 or 100 where one decimal would hide it."""
    gap = min(abs(value), abs(100 - value))
    if gap == 0 or gap >= 0.05:
        return f"{value:.1f}"
    if gap < 1e-9:
        return f"{value!r}"
    digits = next(d for d in range(2, 14) if gap * 10**d >= 1)
    return f"{value:.{digits + 1}f}".rstrip("0")


def _number(value: float) -> str:
    size = abs(value)
    if value == int(value) and size < 1e15:
        return f"{int(value):,}"
    if size >= 1e15 or size < 1e-4:
        return f"{value:.4g}"
    if size >= 1000:
        return f"{value:,.1f}"
    return f"{value:.4g}"


def interval(low: float, high: float, unit: str = "") -> str:
    """Write an interval, its unit once: ``66.4 to 72.1 %``."""
    start, end = figure(low, unit), figure(high, unit)
    _, glue, shown = end.partition(GLUE)
    return f"{start.removesuffix(glue + shown)} to {end}"


def spread(quantity: Quantity) -> str:
    """Write a quantity's 95 % interval, or ``exact`` when it is a plain count."""
    if quantity.low == quantity.high == quantity.value:
        return "exact"
    return interval(quantity.low, quantity.high, quantity.unit)


def bounded(quantity: Quantity) -> str:
    """Write a quantity's value; one that a budget cut short is written as the bound it is."""
    value = figure(quantity.value, quantity.unit)
    if not quantity.partial:
        return value
    return {"higher": f"at most {value}", "lower": f"at least {value}"}.get(quantity.better, f"{value} so far")


def words(identifier: str) -> str:
    """Turn an identifier such as ``robust_accuracy`` into words, hostile characters made visible."""
    return visible(identifier.replace("_", " "))


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 probe``, ``2 probes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
