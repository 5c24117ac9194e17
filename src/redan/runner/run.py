"""Run a plan: one probe after another, every finding on disk as it is found, never a lost partial result."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from redan.core import catalogue
from redan.core.budget import Budget
from redan.core.codec import encode
from redan.core.errors import Contained, EvidenceError, RedanError, Skipped
from redan.core.finding import Finding
from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.core.report import Artifact, Blobs, Examined, Gate, Ran, Report, Run, Tool, Unexamined
from redan.core.subject import SubjectRef
from redan.evidence.blobs import MemoryBlobs
from redan.runner import facts
from redan.runner.plan import Plan, Step


class Journal(Protocol):
    """Is given each finding as soon as it is known."""

    def append(self, finding: Finding) -> None:
        """Keep the finding."""


class NoJournal:
    """Keeps nothing; what the Python interface uses."""

    def append(self, finding: Finding) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FileJournal:
    """Appends each finding to a file of JSON lines, so that a killed run keeps what it found."""

    path: Path

    def append(self, finding: Finding) -> None:
        """Write one line and hand it to the operating system.

        Raises:
            EvidenceError: it cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(encode(finding)) + "\n")
        except OSError as err:
            raise EvidenceError(f"cannot write {str(self.path)!r}: {err.strerror}", hint="is the disk full?") from err


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Session:
    """Everything around a run that is not the plan itself.

    Attributes:
        budget: what may be spent in all.
        seed: root seed.
        policy: what decides.
        command: what to type to repeat it.
        config_digest: SHA-256 of the settings in force.
        observe: told about progress.
        blobs: where evidence goes.
        journal: where findings go as they are found.
    """

    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    policy: Policy = field(default_factory=Policy)
    command: str = ""
    config_digest: str = ""
    observe: Observer = SILENT
    blobs: Blobs = field(default_factory=MemoryBlobs)
    journal: Journal = field(default_factory=NoJournal)


@dataclass(slots=True, eq=False, repr=False)
class _Collected:
    probes: list[Ran] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    examined: dict[str, Examined] = field(default_factory=dict)
    unexamined: list[Unexamined] = field(default_factory=list)

    def take(self, items: Iterable[Finding | Artifact | Examined | Unexamined], session: Session) -> None:
        for item in items:
            if isinstance(item, Finding):
                for blob in item.evidence:
                    session.blobs.put(blob)
                kept = replace(item, evidence=tuple(blob.stored() for blob in item.evidence))
                session.journal.append(kept)
                self.findings.append(kept)
            elif isinstance(item, Artifact):
                self.artifacts.append(item)
            elif isinstance(item, Examined):
                known = self.examined.get(item.path)
                self.examined[item.path] = replace(known, by=(*known.by, *item.by)) if known else item
            else:
                self.unexamined.append(item)

    def looked_into(self) -> tuple[Examined, ...]:
        """Return the files that were read and have no verdict."""
        judged = {a.path for a in self.artifacts}
        return tuple(e for e in self.examined.values() if e.path not in judged)

    def left_alone(self) -> tuple[Unexamined, ...]:
        """Return the files that nobody read; what one probe has no reader for, another may have read."""
        return tuple(u for u in self.unexamined if u.path not in self.examined)


def run(
    plan: Plan,
    inputs: Inputs,
    subject: SubjectRef,
    session: Session,
    *,
    asked: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
    before: tuple[Ran, ...] = (),
) -> Report:
    """Run every step and return the judged report.

    A deliberate error makes a probe ``failed`` and the others still run. An interruption ends the run with what it has.

    Args:
        plan: what to run.
        inputs: the data.
        subject: what the report is about.
        session: budget, seed, policy and stores.
        asked: settings worth showing in the report.
        notes: lines for the reader.
        before: outcomes from before the plan existed, for example a model that was not loaded.
    """
    started, wall, cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
    collected = _Collected(probes=[*before])
    for step in plan.steps:
        if session.budget.interrupted:
            collected.probes.append(_not_reached(step, "interrupted"))
            continue
        collected.probes.append(_one(step, inputs, session, collected))
    collected.probes += plan.skipped
    stopped = session.budget.stop() or ""
    complete = not stopped and all(p.outcome in ("ran", "skipped") for p in collected.probes)
    report = Report(
        tool=Tool(name="redan", version=facts.versions()["redan"]),
        run=Run(
            command=session.command,
            seed=session.seed,
            threads=facts.threads(),
            machine=facts.machine(),
            versions=facts.versions(),
            config_digest=session.config_digest,
            started=started.isoformat(timespec="seconds"),
            wall_s=round(time.perf_counter() - wall, 3),
            cpu_s=round(time.process_time() - cpu, 3),
            complete=complete,
            stopped=stopped,
        ),
        subject=subject,
        gate=Gate(level=session.policy.gate, verdict="undecided", exit_code=3),
        probes=tuple(collected.probes),
        findings=session.policy.judged(collected.findings),
        artifacts=tuple(collected.artifacts),
        examined=collected.looked_into(),
        unexamined=collected.left_alone(),
        asked=asked or {},
        notes=notes,
        blobs=session.blobs,
    )
    return replace(report, gate=session.policy.decide(report))


def _one(step: Step, inputs: Inputs, session: Session, collected: _Collected) -> Ran:
    """Run one probe to its end, its budget or its error."""
    probe = catalogue.load(step.entry)()
    budget = session.budget.child()
    known = len(collected.findings)
    wall, cpu = time.perf_counter(), time.process_time()
    outcome, why = "ran", ""
    if reason := session.budget.stop():
        return _not_reached(step, reason)
    try:
        collected.take(
            probe.run(step.subject, inputs, step.params, budget=budget, seed=session.seed, observe=session.observe),
            session,
        )
    except Contained as err:
        session.budget.end(err.message)
        outcome, why = "failed", err.message
    except RedanError as err:
        outcome = "skipped" if isinstance(err, Skipped) else "failed"
        why = err.message + (f" ({err.hint})" if err.hint else "")
    except KeyboardInterrupt:
        session.budget.interrupted = True
    if outcome == "ran" and (reason := _cut_short(session.budget, collected.findings[known:])):
        outcome, why = "partial", reason
    return Ran(
        probe=step.entry.id,
        name=step.entry.name,
        threat=step.entry.threat,
        outcome=outcome,  # type: ignore[arg-type]  # one of the four words, chosen above
        why=why,
        n_findings=len(collected.findings) - known,
        queries=budget.queries,
        wall_s=round(time.perf_counter() - wall, 3),
        cpu_s=round(time.process_time() - cpu, 3),
    )


def _cut_short(budget: Budget, findings: list[Finding]) -> str:
    """Say why a probe did not measure all it wanted, or return an empty string."""
    if reason := budget.stop():
        return reason
    # an attack that would have gone over its queries stops before it does, so the budget itself is not yet spent
    partial = any(q.partial for f in findings for q in f.quantities)
    return "the budget did not allow the whole measurement" if partial else ""


def _not_reached(step: Step, why: str) -> Ran:
    entry = step.entry
    return Ran(probe=entry.id, name=entry.name, threat=entry.threat, outcome="partial", why=f"not started: {why}")
