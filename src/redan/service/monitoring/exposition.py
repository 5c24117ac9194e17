"""The counters as Prometheus reads them: text 0.0.4 or OpenMetrics, made when it asks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

import redan
from redan.service.monitoring.families import FAMILIES, Family
from redan.service.monitoring.recorder import (
    BATCH_ROWS,
    LATENCY_S,
    MOST_SERIES,
    Counting,
    Labels,
    Lane,
    Measured,
    Reading,
)

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from redan.service.parts import Parts

_PLAIN = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
GUARD_OF = {
    "unauthenticated": "authentication",
    "forbidden": "authorisation",
    "step-up": "authorisation",
    "rate": "rates",
    "budget": "budgets",
    "suspended": "budgets",
    "size": "limits",
    "slow": "limits",
    "overload": "limits",
    "invalid": "validation",
    "guard": "monitors",
    "audit": "audit",
}
"""Which guard refuses for which reason; every reason has one guard."""


@runtime_checkable
class Auditing(Protocol):
    """An auditor that tells how far it is."""

    @property
    def pending(self) -> int:
        """Records handed in and not on disk."""

    @property
    def lost(self) -> int:
        """Records that were accepted and lost."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Present(Collector):
    """Every number at one moment: read in the event loop, where it is quick; written in a thread, where it is not.

    Attributes:
        values: by family, by labels.
        lanes: copies of what is drawn as histograms.
    """

    values: dict[str, dict[Labels, float]]
    lanes: dict[tuple[str, str], Lane]

    def collect(self) -> Iterator[Metric]:
        """Yield every family that has a value, in the order of the table."""
        for family in FAMILIES.values():
            if family.kind == "histogram":
                yield _histogram(family, self.lanes)
            elif family.name in self.values:
                metric = _PLAIN[family.kind](family.name, family.help, labels=family.labels)
                for labels, value in self.values[family.name].items():
                    metric.add_metric(labels, value)
                yield metric

    def written(self, accept: str) -> tuple[bytes, str]:
        """Write every metric, those of the process too, in the format of an Accept header; return its type besides."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        ProcessCollector(registry=registry)
        encoder, content_type = choose_encoder(accept)
        return encoder(registry), content_type


def present(parts: Parts, counting: Counting) -> Present:
    """Read every number, in the event loop.

    Args:
        parts: the service; each of its parts that is `Measured` is asked.
        counting: what was counted on the path of the answer.

    Raises:
        ValueError: a part has a number that is in no family, or with other labels: a mistake of ours.
    """
    values: dict[str, dict[Labels, float]] = {}
    for name, labels, value in _readings(parts, counting):
        family = FAMILIES.get(name)
        if family is None or len(labels) != len(family.labels):
            raise ValueError(f"{name} with {len(labels)} labels is in no family of metrics")
        series = values.setdefault(name, {})
        if labels in series or len(series) < MOST_SERIES:
            series[labels] = value
        else:
            counting.dropped += 1
    return Present(values=values, lanes={version: lane.copy() for version, lane in counting.lanes.items()})


def _readings(parts: Parts, counting: Counting) -> Iterator[Reading]:
    yield ("redan_build_info", (redan.__version__,), 1)
    yield from _traffic(counting)
    yield from counting.own()
    yield from _models(parts)
    yield from _clients(parts)
    yield ("redan_audit_healthy", (), float(parts.auditor.healthy()))
    if isinstance(parts.auditor, Auditing):
        yield ("redan_audit_pending", (), parts.auditor.pending)
        yield ("redan_audit_lost", (), parts.auditor.lost)
    rooms: list[Any] = [parts.authority, parts.limiter, parts.auditor, parts.models, parts.watching]
    for room in (*rooms, *parts.more.values()):
        if isinstance(room, Measured):
            yield from room.readings()


def _traffic(counting: Counting) -> Iterator[Reading]:
    for version, lane in counting.lanes.items():
        for status, n in lane.status.items():
            yield ("redan_requests", (*version, str(status)), n)
        yield ("redan_rows", version, lane.rows)
        yield ("redan_batch_seconds", version, lane.busy_s)
    guards: dict[tuple[str, str], int] = {}
    for (route, status, why), n in counting.denials.items():
        yield ("redan_refusals", (route, str(status), why), n)
        if guard := GUARD_OF.get(why):
            guards[guard, why] = guards.get((guard, why), 0) + n
    for labels, n in guards.items():
        yield ("redan_guard_denials", labels, n)
    yield ("redan_series_dropped", (), counting.dropped)


def _models(parts: Parts) -> Iterator[Reading]:
    now_s = time.time()
    for served, role in parts.models.all():
        version = (served.settings.name, served.settings.version)
        yield ("redan_model_loaded", (*version, role), 1)
        yield ("redan_model_admitted", version, float(served.decision is not None and served.decision.admitted))
        if served.decision is not None:
            judged_s = datetime.fromisoformat(served.decision.at).timestamp()
            yield ("redan_model_judged_age_seconds", version, max(0.0, now_s - judged_s))
    for name, number, _ in parts.models.refused():
        yield ("redan_model_refused", (name, number), 1)


def _clients(parts: Parts) -> Iterator[Reading]:
    rates = [rate for rate, _ in parts.limiter.throttled().values()]
    suspended = sum(rate == 0 for rate in rates)
    yield ("redan_clients_suspended", (), suspended)
    yield ("redan_clients_throttled", (), len(rates) - suspended)


def _histogram(family: Family, lanes: dict[tuple[str, str], Lane]) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for version, lane in lanes.items():
        if family.name == "redan_request_seconds":
            buckets = _buckets(LATENCY_S, lane.latency, lane.exemplars)
            metric.add_metric(version, buckets, lane.latency_sum_s)
        else:
            metric.add_metric(version, _buckets(BATCH_ROWS, lane.batch_rows, {}), lane.batch_rows_sum)
    return metric


def _buckets(
    bounds: Sequence[float], counts: Iterable[int], exemplars: dict[int, tuple[str, float, float]]
) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    names = [*(repr(bound) for bound in bounds), "+Inf"]
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for index, (name, total) in enumerate(zip(names, accumulate(counts), strict=True)):
        if index in exemplars:
            trace, value, at_s = exemplars[index]
            buckets.append((name, total, Exemplar({"trace_id": trace}, value, at_s)))
        else:
            buckets.append((name, total))
    return buckets
