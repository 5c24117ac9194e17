"""Every metric of the gateway by name: what is not in this table is neither counted nor drawn nor alerted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric.

    Attributes:
        name: as Prometheus knows it; of a counter without its ``_total``.
        kind: how it behaves.
        help: one line.
        labels: names of its labels, in order; never a client, an address or a request.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def series(self) -> frozenset[str]:
        """Names of its time series, as queries write them."""
        if self.kind == "counter":
            return frozenset({f"{self.name}_total"})
        if self.kind == "histogram":
            return frozenset({f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count"})
        return frozenset({self.name})


_VERSION = ("model", "version")
_ALL = (
    Family(
        name="redan_requests", kind="counter", help="Requests for predictions that were decided.",
        labels=(*_VERSION, "status"),
    ),
    Family(
        name="redan_refusals", kind="counter", help="Requests that were refused, by route and reason.",
        labels=("route", "status", "why"),
    ),
    Family(
        name="redan_request_seconds", kind="histogram",
        help="Seconds from a request's first byte to its answer.", labels=_VERSION,
    ),
    Family(name="redan_rows", kind="counter", help="Rows that were answered.", labels=_VERSION),
    Family(name="redan_batch_rows", kind="histogram", help="Rows that were answered together.", labels=_VERSION),
    Family(name="redan_batch_seconds", kind="counter", help="Seconds spent on batches.", labels=_VERSION),
    Family(name="redan_queue_requests", kind="gauge", help="Requests that wait for a model."),
    Family(name="redan_workers", kind="gauge", help="Processes that compute predictions; 0: the server does itself."),
    Family(
        name="redan_guard_denials", kind="counter", help="Requests that guards refused, by guard or step and reason.",
        labels=("guard", "why"),
    ),
    Family(name="redan_guard_seconds", kind="counter", help="Seconds spent in a guard.", labels=("guard",)),
    Family(name="redan_guard_rows", kind="counter", help="Rows that a guard judged.", labels=("guard",)),
    Family(
        name="redan_workers_lost", kind="counter", help="Processes that ended or took too long and were replaced.",
    ),
    Family(
        name="redan_recognitions", kind="counter",
        help="Credentials that were looked up, by what became of them: known, unknown, ended, waits, unjudged.",
        labels=("outcome",),
    ),
    Family(
        name="redan_logins", kind="counter", help="Attempts to log in at the console, by step and what became of them.",
        labels=("act", "outcome"),
    ),
    Family(
        name="redan_lockouts", kind="counter", help="Attempts that had to wait because of failures before them.",
    ),
    Family(name="redan_clients_throttled", kind="gauge", help="Clients that are slowed down now."),
    Family(name="redan_clients_suspended", kind="gauge", help="Clients that are suspended now."),
    Family(name="redan_clients_near_budget", kind="gauge", help="Clients that used 80 % of their budget of rows."),
    Family(name="redan_drift", kind="gauge", help="Measured drift.", labels=(*_VERSION, "what", "statistic")),
    Family(
        name="redan_watch_unseen", kind="counter",
        help="Answered rows, or denials, that a watcher did not see, for want of time.", labels=("what",),
    ),
    Family(
        name="redan_findings", kind="counter", help="Findings of monitors, each time one is published.",
        labels=("rule", "severity"),
    ),
    Family(
        name="redan_finding_seen_timestamp_seconds", kind="gauge",
        help="When a rule last found something, seconds since the epoch.", labels=("rule", "severity"),
    ),
    Family(name="redan_audit_healthy", kind="gauge", help="1 when decisions can be recorded, else 0."),
    Family(name="redan_audit_pending", kind="gauge", help="Records that are not on disk yet."),
    Family(name="redan_audit_committed", kind="counter", help="Records that are on disk."),
    Family(name="redan_audit_lost", kind="counter", help="Records that were accepted and lost."),
    Family(
        name="redan_audit_kept_dropped", kind="counter",
        help="Bodies that the policy keeps and that were too many to write; their digests are recorded.",
    ),
    Family(
        name="redan_model_loaded", kind="gauge", help="1 for every loaded version.", labels=(*_VERSION, "role"),
    ),
    Family(
        name="redan_model_admitted", kind="gauge",
        help="1 when statements admitted the version, 0 in a laboratory.", labels=_VERSION,
    ),
    Family(name="redan_model_refused", kind="gauge", help="1 for every version not admitted.", labels=_VERSION),
    Family(
        name="redan_model_judged_age_seconds", kind="gauge",
        help="Seconds since the version's statements were judged.", labels=_VERSION,
    ),
    Family(name="redan_ready", kind="gauge", help="1 when the part is ready, else 0.", labels=("part",)),
    Family(
        name="redan_alerts", kind="counter", help="Alerts by channel and what became of them.",
        labels=("channel", "outcome"),
    ),
    Family(name="redan_alerts_waiting", kind="gauge", help="Alerts that wait to be sent.", labels=("channel",)),
    Family(name="redan_traces", kind="counter", help="Traces by what became of them.", labels=("outcome",)),
    Family(
        name="redan_series_dropped", kind="counter",
        help="Numbers that were not kept because a metric had too many series.",
    ),
    Family(name="redan_build_info", kind="gauge", help="1, labelled with the version of Redan.", labels=("version",)),
)  # fmt: skip
FAMILIES: dict[str, Family] = {family.name: family for family in _ALL}
SERIES: frozenset[str] = frozenset().union(*(family.series for family in _ALL))
"""Every name that a query may use, beside those of the process and of Prometheus itself."""
