"""Monitors over recorded traffic: the same objects that run in the gateway."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from redan.core.errors import RedanError, Unreadable
from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.report import Examined, Ran
from redan.core.subject import Component, SubjectRef
from redan.runner.plan import Plan
from redan.runner.run import Session, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redan.core.finding import Finding
    from redan.core.monitor import Event
    from redan.core.report import Report

BATCH = 256


def watch(log: Path, detectors: Sequence[Path], *, policy: Policy | None = None) -> Report:
    """Run monitors over a log of requests and report what they find at its end, or last found.

    Detectors are opened without their model: those that read inputs judge them, the others take what the gateway's
    guards measured and stored with the events.

    Args:
        log: JSON lines, one event each (`redan.kernels.detectors.log`).
        detectors: files of calibrated detectors, all of one model.
        policy: what decides; gate ``high`` by default.

    Raises:
        Unreadable: log or detector cannot be read, or no line of the log is an event.
        EvidenceError: the detectors belong to different models.
    """
    from redan.kernels.detectors.log import events_of
    from redan.subjects.detectors.opening import alone

    watchers = [_Watcher(monitor) for monitor in alone(detectors)]
    events, n_odd, n_all = events_of(log), 0, 0
    while batch := list(islice(events, BATCH)):
        whole = [event for event in batch if event is not None]
        n_all, n_odd = n_all + len(batch), n_odd + len(batch) - len(whole)
        for watcher in watchers:
            watcher.observe(whole)
    if n_odd == n_all:
        raise Unreadable(f"{log.name!r} holds no event among {n_all} lines", hint="see docs/monitors.md for the format")
    notes = (f"{n_odd} of {n_all} lines are no events and were passed over",) if n_odd else ()
    named = (word for path in detectors for word in ("--detector", str(path)))
    session = Session(
        policy=policy or Policy(today=datetime.now(UTC).date()),
        command=shlex.join(["redan", "watch", str(log), *named]),
    )
    return _report(log, watchers, notes, session)


class _Watcher:
    """One monitor, and each of its findings as it last was."""

    def __init__(self, monitor: Any) -> None:
        self.monitor = monitor
        self.findings: dict[str, Finding] = {}
        self.n_seen, self.failed = 0, ""

    def observe(self, events: Sequence[Event]) -> None:
        """Show it events, unless it has failed."""
        if self.failed:
            return
        self.n_seen += sum(event.model == self.monitor.made.model for event in events)
        try:
            for finding in self.monitor.observe(events):
                self.findings[finding.fingerprint] = finding
        except RedanError as err:
            self.failed = err.message

    def ran(self) -> Ran:
        """Return what became of it."""
        spec = self.monitor.spec
        why = self.failed or ("" if self.n_seen else f"no event of model {self.monitor.made.model[:16]}")
        return Ran(
            probe=spec.id,
            name=spec.name,
            threat=spec.threat,
            outcome="failed" if why else "ran",
            why=why,
            n_findings=len(self.findings),
            queries=0,
        )


def _report(log: Path, watchers: Sequence[_Watcher], notes: tuple[str, ...], session: Session) -> Report:
    made = watchers[0].monitor.made
    subject = SubjectRef(
        name=made.subject,
        kind="deployment",
        components=(Component(role="weights", uri=made.subject, sha256=made.model),),
    )
    report = run(
        Plan(skipped=tuple(watcher.ran() for watcher in watchers)),
        Inputs(),
        subject,
        session,
        notes=notes,
    )
    findings = session.policy.judged(f for watcher in watchers for f in watcher.findings.values())
    seen = tuple(w.monitor.spec.id for w in watchers if not w.failed and w.n_seen)
    examined = (Examined(path=log.name, format="events", by=seen),) if seen else ()
    whole = replace(report, findings=findings, examined=examined)
    return replace(whole, gate=session.policy.decide(whole))
