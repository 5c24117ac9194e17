"""Alarms by interval of time: bounded, and the sum of two replicas is what one would have counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redan.core.finding import Quantity, Severity
from redan.core.threat import Scale
from redan.kernels.detectors.alarms import log_change, log_evidence
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERVAL_S = 300
MOST_INTERVALS = 96
"""Eight hours of five minutes."""
LEAST_INTERVALS_TO_FALSE = 10_000
"""Intervals of benign traffic until a false finding, on average at least: a month of five minutes."""
SCALE = Scale(
    quantity="alarm_rate",
    steps=((0.5, Severity.HIGH), (0.1, Severity.MEDIUM)),
    otherwise=Severity.LOW,
)
"""A rise beyond noise is at least low; an attack needs many alarms to be more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts by interval.

    Attributes:
        counts: (alarms, events) by number of the interval since the epoch; the latest `MOST_INTERVALS`.
    """

    counts: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def plus(self, seen: Iterable[tuple[float, bool]]) -> Tally:
        """Return the tally after further events, each a time in seconds and whether it raised an alarm."""
        counts = dict(self.counts)
        for time_s, alarm in seen:
            place = math.floor(time_s / INTERVAL_S)
            alarms, n = counts.get(place, (0, 0))
            counts[place] = (alarms + alarm, n + 1)
        return Tally(counts=_latest(counts))

    def merged(self, other: Tally) -> Tally:
        """Return the sum."""
        counts = dict(self.counts)
        for place, (alarms, n) in other.counts.items():
            mine = counts.get(place, (0, 0))
            counts[place] = (mine[0] + alarms, mine[1] + n)
        return Tally(counts=_latest(counts))

    def risen(self, allowed: float) -> Quantity | None:
        """Return the alarm rate since it most likely rose above what is allowed; None while that may be chance."""
        ordered = [self.counts[place] for place in sorted(self.counts)]
        if log_change(ordered, allowed) < math.log(LEAST_INTERVALS_TO_FALSE):
            return None
        sums = [(sum(a for a, _ in ordered[i:]), sum(n for _, n in ordered[i:])) for i in range(len(ordered))]
        alarms, n = max(sums, key=lambda pair: log_evidence(pair[0], pair[1], allowed))
        low, high = wilson(alarms, n)
        return Quantity(name="alarm_rate", value=alarms / n, unit="fraction", n=n, low=low, high=high, better="lower")


def _latest(counts: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    return {place: counts[place] for place in sorted(counts)[-MOST_INTERVALS:]}
