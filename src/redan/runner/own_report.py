"""The report of a mark, a fingerprint or a claim."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redan.core.report import Ran
from redan.runner.plan import Plan
from redan.runner.run import run

if TYPE_CHECKING:
    from redan.core.catalogue import Rule
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.report import Report
    from redan.core.subject import SubjectRef
    from redan.runner.run import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When the work began, in wall and CPU seconds."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> Clock:
        """Start."""
        return cls(wall_s=time.perf_counter(), cpu_s=time.process_time())

    def spent(self) -> tuple[float, float]:
        """Return wall and CPU seconds since."""
        return round(time.perf_counter() - self.wall_s, 3), round(time.process_time() - self.cpu_s, 3)


def reported(
    rule: Rule,
    findings: tuple[Finding, ...],
    subject: SubjectRef,
    inputs: Inputs,
    session: Session,
    *,
    since: Clock,
    asked: dict[str, Any],
    notes: tuple[str, ...] = (),
) -> Report:
    """Judge findings by the policy in force.

    Args:
        rule: what they are findings of.
        findings: what was found.
        subject: what the report is about.
        inputs: the data.
        session: budget, seed, policy and stores.
        since: when the work began.
        asked: settings worth showing.
        notes: lines for the reader.
    """
    wall, cpu = since.spent()
    ran = Ran(
        probe=rule.id,
        name=rule.name,
        threat=rule.threat,
        outcome="ran",
        n_findings=len(findings),
        wall_s=wall,
        cpu_s=cpu,
    )
    report = run(Plan(), inputs, subject, session, asked=asked, notes=notes, before=(ran,))
    for finding in findings:
        session.journal.append(finding)
    judged = replace(
        report,
        run=replace(report.run, wall_s=wall, cpu_s=cpu),
        findings=session.policy.judged(findings),
    )
    return replace(judged, gate=session.policy.decide(judged))
