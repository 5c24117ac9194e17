"""The counters as Prometheus reads them: text 0.0.4 or OpenMetrics, made when it asks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
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
from redan.service.monitoring.recorder import BATCH_ROWS, LATENCY_S, Counting, Lane, Measured, Reading

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from redan.service.parts import Parts

_GAUGES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
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


def expose(parts: Parts, counting: Counting, accept: str) -> tuple[bytes, str]:
    """Write every metric in the format that was asked for.

    Args:
        parts: the service.
        counting: what was counted on the path of the answer.
        accept: the Accept header.

    Returns:
        Body and content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Present(parts, counting))
    ProcessCollector(registry=registry)
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type


class _Present(Collector):
    def __init__(self, parts: Parts, counting: Counting) -> None:
        self._parts, self._counting = parts, counting

    def collect(self) -> Iterator[Metric]:
        """Yield every family that has a value, in the order of the table."""
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for name, labels, value in _readings(self._parts, self._counting):
            found.setdefault(name, {})[labels] = value
        for family in FAMILIES.values():
            if family.kind == "histogram":
                yield _histogram(family, self._counting.lanes)
            elif family.name in found:
                metric = _GAUGES[family.kind](family.name, family.help, labels=family.labels)
                for labels, value in found[family.name].items():
                    metric.add_metric(labels, value)
                yield metric


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
    for version, lane in list(counting.lanes.items()):
        for status, n in list(lane.status.items()):
            yield ("redan_requests", (*version, str(status)), n)
        yield ("redan_rows", version, lane.rows)
        yield ("redan_batch_seconds", version, lane.busy_s)
    guards: dict[tuple[str, str], int] = {}
    for (route, status, why), n in list(counting.denials.items()):
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
    for version, lane in list(lanes.items()):
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
