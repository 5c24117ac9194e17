"""Counts what happens on the path of the answer: plain integers in the event loop, read when Prometheus asks.

The event loop alone writes, so there are no locks; other threads use `set` and `add`, which are one dictionary
operation each. A metric holds at most `MOST_SERIES` series; what is more is dropped and counted.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from redan.service.monitoring.families import FAMILIES

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.service.gateway.call import Batch
    from redan.service.gateway.refusal import Refusal
    from redan.service.monitoring.tracing import Tracing

LATENCY_S = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the buckets of `redan_request_seconds`."""
BATCH_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0)
"""Upper bounds of the buckets of `redan_batch_rows`."""
MOST_SERIES = 1000
Labels = tuple[str, ...]
Reading = tuple[str, Labels, float]
"""Name of a family, values of its labels, value."""


@runtime_checkable
class Measured(Protocol):
    """A part of the service that has numbers of its own: it is asked when Prometheus asks, in the event loop."""

    def readings(self) -> Iterable[Reading]:
        """Return present values of families of `redan.service.monitoring.families`; quick, never blocks."""


class Lane:
    """The numbers of one version of one model."""

    __slots__ = ("batch_rows", "batch_rows_sum", "busy_s", "exemplars", "latency", "latency_sum_s", "rows", "status")

    def __init__(self) -> None:
        self.latency = [0] * (len(LATENCY_S) + 1)
        self.latency_sum_s = 0.0
        self.batch_rows = [0] * (len(BATCH_ROWS) + 1)
        self.batch_rows_sum = 0
        self.rows = 0
        self.busy_s = 0.0
        self.status: dict[int, int] = {}
        self.exemplars: dict[int, tuple[str, float, float]] = {}

    def copy(self) -> Lane:
        """Return the numbers of this moment."""
        same = copy(self)
        same.latency, same.batch_rows = self.latency.copy(), self.batch_rows.copy()
        same.status, same.exemplars = self.status.copy(), self.exemplars.copy()
        return same


class Counting:
    """Implements `redan.service.parts.Recorder`.

    A call that a guard refused inside a batch is counted by `answered`; `refused` is for requests that came into none.

    Args:
        tracing: ends the spans of traced calls; None when there are no traces.
    """

    def __init__(self, tracing: Tracing | None = None) -> None:
        self.tracing = tracing
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.denials: dict[tuple[str, int, str], int] = {}
        self.values: dict[str, dict[Labels, float]] = {}
        self.dropped = 0
        self._adding = threading.Lock()

    def answered(self, batch: Batch, seconds: float) -> None:
        """Count a batch after its answers were sent; ``seconds`` is what it took from its first step to its last."""
        now_s = time.perf_counter()
        settings = batch.served.settings
        lane = self.lanes.get((settings.name, settings.version))
        if lane is None:
            lane = self.lanes[settings.name, settings.version] = Lane()
        latency, waited_s, good, rows = lane.latency, 0.0, 0, 0
        for call in batch.calls:
            if call.refusal is not None:
                self._denied(lane, call.refusal)
                continue
            took_s = now_s - call.began_s
            waited_s += took_s
            bucket = bisect_left(LATENCY_S, took_s)
            latency[bucket] += 1
            good += 1
            rows += len(call.x)
            if call.trace is not None:
                lane.exemplars[bucket] = (f"{call.trace[0]:032x}", took_s, time.time())
        lane.latency_sum_s += waited_s
        lane.busy_s += seconds
        if good:
            lane.status[200] = lane.status.get(200, 0) + good
            lane.rows += rows
            lane.batch_rows[bisect_left(BATCH_ROWS, rows)] += 1
            lane.batch_rows_sum += rows
        if batch.steps is not None and self.tracing is not None:
            self.tracing.end(batch, now_s)

    def _denied(self, lane: Lane, refusal: Refusal) -> None:
        lane.status[refusal.status] = lane.status.get(refusal.status, 0) + 1
        self.refused("infer", refusal)

    def refused(self, route: str, refusal: Refusal) -> None:
        """Count a refusal of a request that came into no batch; ``route`` is of the table of routes, never a path."""
        key = (route, refusal.status, refusal.why)
        found = self.denials.get(key)
        if found is None and len(self.denials) >= MOST_SERIES:
            self.dropped += 1
            return
        self.denials[key] = (found or 0) + 1

    def add(self, family: str, labels: Labels, value: float = 1) -> None:
        """Add to a counter, from any thread.

        Raises:
            KeyError: no such family: a mistake of ours.
        """
        with self._adding:
            series = self._series(family)
            if labels in series or self._room(series):
                series[labels] = series.get(labels, 0) + value

    def set(self, family: str, labels: Labels, value: float) -> None:
        """Set a gauge, from any thread.

        Raises:
            KeyError: no such family: a mistake of ours.
        """
        with self._adding:
            series = self._series(family)
            if labels in series or self._room(series):
                series[labels] = value

    def found(self, finding: Finding) -> None:
        """Count a finding (`redan.service.findings.Findings.listen`), from any thread."""
        labels = (finding.rule, finding.severity.word)
        self.add("redan_findings", labels)
        self.set("redan_finding_seen_timestamp_seconds", labels, time.time())

    def own(self) -> list[Reading]:
        """Return a copy of what `add` and `set` keep."""
        with self._adding:
            return [(name, labels, value) for name, series in self.values.items() for labels, value in series.items()]

    def _series(self, family: str) -> dict[Labels, float]:
        found = self.values.get(family)
        return found if found is not None else self.values.setdefault(FAMILIES[family].name, {})

    def _room(self, series: dict[Labels, float]) -> bool:
        if len(series) < MOST_SERIES:
            return True
        self.dropped += 1
        return False
