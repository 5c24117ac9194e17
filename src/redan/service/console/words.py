"""Times, numbers and digests as the console's pages write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_SPANS = ((86_400, "day", "days"), (3600, "hour", "hours"), (60, "minute", "minutes"))
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def day(at_s: float) -> str:
    """Return the day of a time in seconds since the epoch, UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def moment(us: int) -> str:
    """Return a time in microseconds since the epoch as ``2026-11-21 13:05 UTC``."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def to_the_second(us: int) -> str:
    """Return a time as ``2026-11-21 13:05:07 UTC``."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine_time(us: int) -> str:
    """Return a time as the ``datetime`` attribute of HTML takes it."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative(us: int, now_us: int) -> str:
    """Return how long ago a time is, or in how long it will be, in the largest unit that fits."""
    seconds = (now_us - us) / 1e6
    size = abs(seconds)
    for unit_s, one, many in _SPANS:
        if size >= unit_s:
            count = round(size / unit_s)
            words = f"{count} {one if count == 1 else many}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    if size < 5:
        return "just now"
    return f"{size:.0f} seconds ago" if seconds > 0 else f"in {size:.0f} seconds"


def count(value: float) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u2009")


def number(value: float, unit: str = "") -> str:
    """Return a measured number for people; a fraction becomes per cent, seconds the unit that fits."""
    if not math.isfinite(value):
        return "unknown"
    if unit == "fraction":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return seconds(value)
    return f"{value:.4g}" + (f" {unit}" if unit and unit != "count" else "")


def seconds(value: float) -> str:
    """Return a duration in s, ms or µs."""
    if not math.isfinite(value):
        return "unknown"
    for size, unit in _UNITS:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs" if value else "0 s"


def short(digest: str) -> str:
    """Return the first digits of a digest."""
    return f"{digest[:12]}…" if len(digest) > 12 else digest
