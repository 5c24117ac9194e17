"""Counts by source and interval of time: bounded, and the sum of two replicas is what one would have counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from redan.kernels.detectors.alarms import log_change, log_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INTERVAL_S = 3600
MOST_INTERVALS = 48
MOST_SOURCES = 500
"""Sources that are told apart; rows of further ones are counted together."""
OTHERS = "(other sources)"
LEAST_INTERVALS_TO_FALSE = 100_000
"""Intervals of benign rows until a false finding for one source and kind, on average at least."""

Key = tuple[str, int]
Count = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows and alarms.

    Attributes:
        counts: (rows, alarms by label, alarms by place) by source and number of the interval since the epoch.
    """

    counts: Mapping[Key, Count] = field(default_factory=dict)

    def plus(self, rows: Iterable[tuple[str, float, bool, bool]]) -> Counts:
        """Return the counts after further rows: source, time in seconds, alarm by label, alarm by place."""
        counts = dict(self.counts)
        for source, time_s, by_label, by_place in rows:
            key = (source, math.floor(time_s / INTERVAL_S))
            n, labels, places = counts.get(key, (0, 0, 0))
            counts[key] = (n + 1, labels + by_label, places + by_place)
        return Counts(counts=_bounded(counts))

    def merged(self, other: Counts) -> Counts:
        """Return the sum."""
        counts = dict(self.counts)
        for key, more in other.counts.items():
            mine = counts.get(key, (0, 0, 0))
            counts[key] = (mine[0] + more[0], mine[1] + more[1], mine[2] + more[2])
        return Counts(counts=_bounded(counts))

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source that is counted, in order."""
        return tuple(sorted({source for source, _ in self.counts}))

    def risen(self, source: str, kind: int, allowed: float) -> tuple[int, int] | None:
        """Return (alarms, rows) since the rate of a source most likely rose above the allowed one; None for chance.

        Args:
            source: which.
            kind: 0 by label, 1 by place.
            allowed: highest rate of benign rows.
        """
        own = sorted((place, count) for (name, place), count in self.counts.items() if name == source)
        ordered = [(count[1 + kind], count[0]) for _, count in own]
        # sources are many: each is held to the bar that all together have to meet
        bar = math.log(LEAST_INTERVALS_TO_FALSE) + math.log(max(1, len(self.sources)))
        if log_change(ordered, allowed) < bar:
            return None
        sums = [(sum(a for a, _ in ordered[i:]), sum(n for _, n in ordered[i:])) for i in range(len(ordered))]
        return max(sums, key=lambda pair: log_evidence(pair[0], pair[1], allowed))


def _bounded(counts: dict[Key, Count]) -> dict[Key, Count]:
    """Keep the latest intervals, and the first sources in order of their names; the rest is counted together."""
    latest = set(sorted({place for _, place in counts})[-MOST_INTERVALS:])
    names = sorted({source for source, _ in counts} - {OTHERS})
    kept = {*names[:MOST_SOURCES], OTHERS}
    found: dict[Key, Count] = {}
    for (source, place), count in sorted(counts.items()):
        if place in latest:
            key = (source if source in kept else OTHERS, place)
            mine = found.get(key, (0, 0, 0))
            found[key] = (mine[0] + count[0], mine[1] + count[1], mine[2] + count[2])
    return found
