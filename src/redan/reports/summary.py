"""What a report says, put in order for a reader; every writer that people read starts here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Literal

from redan.core.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.compare import Change
    from redan.core.finding import Finding, Quantity
    from redan.core.report import Artifact, Ran, Report

WORST_FIRST: tuple[Severity, ...] = tuple(sorted(Severity, reverse=True))
SET_ASIDE = ("suppressed", "baseline", "mitigated")
"""Statuses of findings that stay visible and do not gate."""

Measured = Literal["measured", "partly measured", "not tested"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ThreatSummary:
    """One threat in a line.

    Attributes:
        threat: its identifier.
        measured: whether its probes ran; what was not tested is never called safe.
        headline: the number that is worst for the defender, or None when the threat has no rates.
        worst: the worst severity among findings that count, None without any.
        findings: all its findings.
        probes: what happened to its probes.
    """

    threat: str
    measured: Measured
    headline: Quantity | None
    worst: Severity | None
    findings: tuple[Finding, ...]
    probes: tuple[Ran, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gap:
    """Something that was not tested, or not to its end, and why."""

    what: str
    outcome: str
    why: str


def threats(report: Report) -> tuple[ThreatSummary, ...]:
    """Summarise each threat, in the order in which the threats were met."""
    return tuple(_summary(name, found, report) for name, found in report.by_threat().items())


def _summary(threat: str, findings: tuple[Finding, ...], report: Report) -> ThreatSummary:
    probes = tuple(p for p in report.probes if p.threat == threat)
    counting = [f for f in findings if f.status not in SET_ASIDE]
    return ThreatSummary(
        threat=threat,
        measured=_measured(probes, findings),
        headline=headline(findings),
        worst=max((f.severity for f in counting), default=None),
        findings=findings,
        probes=probes,
    )


def _measured(probes: tuple[Ran, ...], findings: tuple[Finding, ...]) -> Measured:
    outcomes = {p.outcome for p in probes}
    if not outcomes:
        return "measured" if findings else "not tested"
    if outcomes == {"ran"}:
        return "measured"
    return "partly measured" if outcomes & {"ran", "partial"} else "not tested"


def headline(findings: tuple[Finding, ...]) -> Quantity | None:
    """Return the rate of the worst severity; of equals the one that looks worst, on more samples, the later one.

    A finding's first quantity is the one its severity rests on, so only the first ones compete.
    """
    leads = [(f.severity, f.quantities[0]) for f in findings if f.quantities]
    rates = [(severity, q) for severity, q in leads if q.unit == "fraction" and q.better != "neither"]
    ranked = sorted(enumerate(rates), key=lambda row: (row[1][0], *_badness(row[1][1]), row[0]))
    return ranked[-1][1][1] if ranked else None


def _badness(rate: Quantity) -> tuple[float, int, bool]:
    if isnan(rate.value):
        return (-1.0, rate.n, False)
    return (1 - rate.value if rate.better == "higher" else rate.value, rate.n, rate.better == "higher")


def gaps(report: Report) -> tuple[Gap, ...]:
    """Return everything that was not tested or not to its end: probes, files, the run itself."""
    stopped = [Gap(what="this run", outcome="stopped", why=report.run.stopped)] if report.run.stopped else []
    probes = [
        Gap(
            what=f"{p.name} ({p.probe})" if p.probe else p.name,
            outcome=p.outcome,
            why=p.why or "no reason was recorded",
        )
        for p in report.probes
        if p.outcome != "ran"
    ]
    files = [Gap(what=u.path, outcome="not examined", why=u.why) for u in report.unexamined]
    return (*stopped, *probes, *files)


def counting(report: Report) -> tuple[Finding, ...]:
    """Return open and inconclusive findings, the worst first."""
    return _worst_first(f for f in report.findings if f.status not in SET_ASIDE)


def set_aside(report: Report) -> tuple[Finding, ...]:
    """Return suppressed, baseline and mitigated findings, the worst first."""
    return _worst_first(f for f in report.findings if f.status in SET_ASIDE)


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: -f.severity))


def tally(artifacts: tuple[Artifact, ...]) -> dict[str, int]:
    """Count artifacts by verdict, the worst first, verdicts without any left out."""
    counts = {verdict: sum(a.verdict == verdict for a in artifacts) for verdict in ("unsafe", "unknown", "safe")}
    return {verdict: count for verdict, count in counts.items() if count}


def also_read(report: Report) -> tuple[str, ...]:
    """Count the files that are no model artifacts and were read, by format and by who read them."""
    counts = Counter((file.format, file.by) for file in report.examined)
    ranked = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return tuple(f"{count:,} {format_} ({', '.join(by)})" for (format_, by), count in ranked)


def why_set_aside(finding: Finding) -> str:
    """Say in one sentence why a finding does not gate."""
    if finding.suppression is not None:
        note = finding.suppression
        return f"{note.reason} (until {note.expires}, from {note.source})"
    return {
        "baseline": "the baseline report has it already and it did not get worse beyond noise",
        "mitigated": "a mitigation took care of it",
    }.get(finding.status, "no reason was recorded")


def standing(change: Change) -> str:
    """Say how bad a change's finding was and is, and whether it was set aside: ``high -> low``, ``low, suppressed``."""
    ends = [f for f in (change.before, change.after) if f is not None]
    told = " -> ".join(dict.fromkeys(f.severity.word for f in ends))
    status = ends[-1].status if ends else "open"
    return told if status == "open" else f"{told}, {status}"
