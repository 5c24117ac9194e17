"""Monitors over recorded traffic: the same objects that run in the gateway."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from redan.core.errors import RedanError, Unreadable, UsageError
from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.report import Examined, Ran
from redan.core.subject import Component, SubjectRef
from redan.runner.plan import Plan
from redan.runner.run import Session, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.core.finding import Finding
    from redan.core.monitor import Event
    from redan.core.report import Report
    from redan.runner.watch_acts import Beside, Recorded, RowsOf
    from redan.threats.operation.watching import Operation

BATCH = 256
EVENTS_AT_ONCE = 64
"""As many as the gateway shows to a detector at once, so that what a client does later hides nothing."""
What = Literal["drift", "performance", "access"]


class _Watcher(Protocol):
    """Sees events and decisions, and says what became of it."""

    findings: dict[str, Finding]

    def observe(self, recorded: Recorded) -> None:
        """Take what was recorded, in order."""

    def ran(self) -> tuple[Ran, ...]:
        """Return what became of each monitor."""


def watch(
    log: Path,
    detectors: Sequence[Path],
    *,
    what: Sequence[What] = (),
    policy: Policy | None = None,
    beside: Beside | None = None,
) -> Report:
    """Run monitors over a log and report what they find at its end, or last found.

    Detectors are opened without their model: those that read inputs judge them, the others take what the gateway's
    guards measured and stored with the events.

    Args:
        log: JSON lines, one event each (`redan.kernels.detectors.log`), or the folder of a gateway's audit log.
        detectors: files of calibrated detectors, all of one model.
        what: watchers beside them, as ``[serve] watch``; what no detector's file brings is learnt from the first rows.
        policy: what decides; gate ``high`` by default.
        beside: what the project knows beside an audit log: inputs that are kept, and data schemas; None: nothing.

    Raises:
        UsageError: there is nothing to watch with, or a log of events says nothing about access.
        Unreadable: log or detector cannot be read, or nothing in it is an event.
        EvidenceError: the detectors belong to different models, or the audit log is damaged.
    """
    from redan.runner.watch_acts import pruned_in, recorded_in
    from redan.subjects.detectors.opening import alone

    _check(log, detectors, what)
    opened = alone(detectors)
    watchers: list[_Watcher] = [_Calibrated(monitor) for monitor in opened if not _is_operation(monitor, what)]
    if "drift" in what or "performance" in what:
        watchers.append(_Operation([each for each in opened if _is_operation(each, what)], what, beside))
    if "access" in what:
        watchers.append(_Access())
    n_odd, n_all, n_blind = 0, 0, 0
    for recorded in recorded_in(log, BATCH, rows_of=_shaped(beside, opened)):
        n_all, n_odd, n_blind = n_all + recorded.n, n_odd + recorded.n_odd, n_blind + recorded.n_blind
        for watcher in watchers:
            watcher.observe(recorded)
    if n_odd == n_all:
        raise Unreadable(f"{log.name!r} holds no event among {n_all} lines", hint="see docs/monitors.md for the format")
    notes: tuple[str, ...] = (f"{n_odd} of {n_all} lines are no events and were passed over",) if n_odd else ()
    if pruned := pruned_in(log):
        notes += (f"the first {pruned} decisions were pruned and could not be watched",)
    if n_blind and beside is not None:
        notes += (f"of {n_blind} answered requests no input is kept that can be opened and read",)
    named = [word for path in detectors for word in ("--detector", str(path))]
    named += [word for name in what for word in ("--watch", name)]
    session = Session(
        policy=policy or Policy(today=datetime.now(UTC).date()),
        command=shlex.join(["redan", "watch", str(log), *named]),
    )
    return _report(log, _subject(log, opened), watchers, notes, session)


def _check(log: Path, detectors: Sequence[Path], what: Sequence[What]) -> None:
    odd = [name for name in what if name not in get_args(What)]
    if odd or not (detectors or what):
        raise UsageError(
            f"{odd[0]!r} is nothing to watch" if odd else "there is nothing to watch with",
            hint=f"name a --detector FILE, or --watch {', '.join(get_args(What))}",
        )
    if "access" in what and not log.is_dir():
        raise UsageError(
            f"{log.name!r} holds no decisions of access", hint="give the folder of the gateway's audit log"
        )


def _shaped(beside: Beside | None, opened: Sequence[Any]) -> RowsOf | None:
    """Return rows in the shape that the detectors' model takes; clients may send them flat."""
    shapes = (getattr(each, "shape", getattr(each.made, "shape", None)) for each in opened)
    shape = next((each for each in shapes if each), None)
    if beside is None or shape is None:
        return None if beside is None else beside.rows

    def shaped(act: Mapping[str, Any]) -> NDArray[Any] | None:
        rows = beside.rows(act)
        fits = rows is not None and rows[0].size == math.prod(shape)
        return rows.reshape(len(rows), *shape) if rows is not None and fits else rows

    return shaped


def _is_operation(monitor: Any, what: Sequence[What]) -> bool:
    from redan.threats.operation.watching import KINDS

    return isinstance(monitor, KINDS) and ("drift" in what or "performance" in what)


class _Calibrated:
    """One monitor, and each of its findings as it last was."""

    def __init__(self, monitor: Any) -> None:
        self.monitor = monitor
        self.findings: dict[str, Finding] = {}
        self.n_seen, self.failed = 0, ""

    def observe(self, recorded: Recorded) -> None:
        """Show it events; after some that it cannot judge it goes on, and has failed all the same."""
        events = recorded.events
        self.n_seen += sum(event.model == self.monitor.made.model for event in events)
        for i in range(0, len(events), EVENTS_AT_ONCE):
            try:
                _keep(self.findings, self.monitor.observe(events[i : i + EVENTS_AT_ONCE]))
            except RedanError as err:
                self.failed = self.failed or err.message

    def ran(self) -> tuple[Ran, ...]:
        """Return what became of it."""
        why = self.failed or ("" if self.n_seen else _unseen(self.monitor.made.model))
        return (_ran(self.monitor.spec, why, len(self.findings)),)


class _Operation:
    """Drift and accuracy of every model in the log."""

    def __init__(self, opened: Sequence[Any], what: Sequence[What], beside: Beside | None) -> None:
        self._opened, self._what, self._beside = opened, what, beside
        self._models: dict[str, Any] = {}
        self.findings: dict[str, Finding] = {}

    def observe(self, recorded: Recorded) -> None:
        """Count answers and truths, by model and interval, and look as often as a gateway does."""
        for i in range(0, len(recorded.events), EVENTS_AT_ONCE):
            self._count_events(recorded.events[i : i + EVENTS_AT_ONCE], recorded.names)

    def _count_events(self, events: Sequence[Event], names: Mapping[str, str]) -> None:
        from redan.runner.watch_acts import slices_of

        for part in slices_of(events):
            model = self._models.get(part.model)
            if model is None:
                label = names.get(part.model, part.model[:16])
                model = self._models[part.model] = self._opened_for(part.model, label)
            if len(part.labels):
                model.see(part.x, part.labels, part.scores, part.time_s, asked=part.asked)
            if part.n_truths:
                model.truths(part.right, part.n_truths, part.time_s)
        for model in self._models.values():
            _keep(self.findings, model.look())

    def _opened_for(self, model: str, label: str) -> Operation:
        from redan.threats.operation.monitors.input_drift import InputDrift
        from redan.threats.operation.watching import Operation

        mine = [each for each in self._opened if each.made.model == model]
        name = mine[0].made.subject if mine else label.partition("@")[0]
        rules = () if self._beside is None else self._beside.rules(label)
        of_schema = InputDrift.of_rules(rules, name, model)
        monitors = mine if of_schema is None else [*mine, of_schema]
        return Operation(name, model, monitors, drift="drift" in self._what, performance="performance" in self._what)

    def ran(self) -> tuple[Ran, ...]:
        """Return what became of the monitors that were asked for."""
        from redan.threats.operation.watching import KINDS

        seen = sum(model.n_seen for model in self._models.values())
        truths = sum(model.n_truths for model in self._models.values())
        found = [
            _ran(kind.spec, self._why(kind.spec.name, seen, truths), self._found(kind.spec.id))
            for kind in KINDS
            if ("performance" if kind.spec.name == "accuracy-drop" else "drift") in self._what
        ]
        return tuple(found)

    def _found(self, rule: str) -> int:
        return sum(finding.rule == rule for finding in self.findings.values())

    def _why(self, name: str, seen: int, truths: int) -> str:
        """Say why a monitor could judge nothing, or return an empty text."""
        judging = any(name in model.judging for model in self._models.values())
        if judging:
            return ""
        if name == "accuracy-drop":
            return f"{truths} truths are too few to learn a baseline from; give a --detector accuracy-drop"
        return f"{seen} answers, with their inputs where they matter, are too few to learn from; give a --detector"


class _Access:
    """Abnormal access, over decisions."""

    def __init__(self) -> None:
        from redan.threats.operation.monitors.access import AbnormalAccess

        self._monitor, self.n_seen = AbnormalAccess(), 0
        self.findings: dict[str, Finding] = {}

    def observe(self, recorded: Recorded) -> None:
        """Count decisions."""
        self.n_seen += len(recorded.uses)
        _keep(self.findings, self._monitor.observe(recorded.uses))

    def ran(self) -> tuple[Ran, ...]:
        """Return what became of it."""
        return (_ran(self._monitor.spec, "" if self.n_seen else "no decision in the log", len(self.findings)),)


def _unseen(model: str) -> str:
    return (
        f"no event of model {model[:16]}; calibrate again if this detector is of an earlier release, and see that the "
        "log says what was answered: [audit] keep labels or more"
    )


def _keep(kept: dict[str, Finding], found: Iterable[Finding]) -> None:
    kept.update({finding.fingerprint: finding for finding in found})


def _ran(spec: Any, why: str, n_findings: int) -> Ran:
    return Ran(
        probe=spec.id,
        name=spec.name,
        threat=spec.threat,
        outcome="failed" if why else "ran",
        why=why,
        n_findings=n_findings,
        queries=0,
    )


def _subject(log: Path, opened: Sequence[Any]) -> SubjectRef:
    if not opened:
        return SubjectRef(name=log.name, kind="deployment")
    made = opened[0].made
    weights = Component(role="weights", uri=made.subject, sha256=made.model)
    return SubjectRef(name=made.subject, kind="deployment", components=(weights,))


def _report(
    log: Path, subject: SubjectRef, watchers: Sequence[_Watcher], notes: tuple[str, ...], session: Session
) -> Report:
    ran = tuple(each for watcher in watchers for each in watcher.ran())
    report = run(Plan(skipped=ran), Inputs(), subject, session, notes=notes)
    findings = session.policy.judged(_all(watchers))
    seen = tuple(each.probe for each in ran if each.outcome == "ran")
    examined = (Examined(path=log.name, format="events", by=seen),) if seen else ()
    whole = replace(report, findings=findings, examined=examined)
    return replace(whole, gate=session.policy.decide(whole))


def _all(watchers: Sequence[_Watcher]) -> Iterator[Finding]:
    return (finding for watcher in watchers for finding in watcher.findings.values())
