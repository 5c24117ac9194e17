"""Statements out of reports: one for each threat that was measured, refused when a report is about something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from redan.core.codec import encode
from redan.core.errors import SignatureRefused, UsageError
from redan.core.finding import Finding
from redan.core.report import Report
from redan.evidence.statements.predicates.result import Claim, Ended, Result, SetAside, Source
from redan.evidence.statements.resource import Model
from redan.evidence.statements.types import kind_of_threat

SCANNING = "supply_chain"
MOST_UNEXAMINED = 100
_OF_THE_MODEL = ("weights", "artifact")
"""Roles of components that are the model's own files; code, data and settings may lie outside its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A report with the digest of the bytes it was read from."""

    report: Report
    sha256: str

    @classmethod
    def of(cls, report: Report) -> Sourced:
        """Wrap a report that lies in memory, under the digest of the document it would be written as."""
        return cls(report=report, sha256=sha256(report.to_json()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What can be stated.

    Attributes:
        results: kind of statement → what it says.
        left_out: a sentence for each part of the reports that cannot be stated.
    """

    results: Mapping[str, Result]
    left_out: tuple[str, ...]


def results_of(reports: Sequence[Sourced], model: Model, *, sealed: datetime) -> Prepared:
    """Turn reports about one model into what its statements say.

    Several reports about the same threat become one statement, as old as the oldest of them.

    Raises:
        SignatureRefused: a report is about another model, or is not bound to content.
        UsageError: a report says no time, or nothing in the reports can be stated.
    """
    for each in reports:
        insist_about(each.report, model)
    by_kind: dict[str, list[tuple[Sourced, str]]] = {}
    left_out: list[str] = []
    for each in reports:
        for threat in dict.fromkeys(p.threat for p in each.report.probes if p.probe):
            if why := _unstatable(each.report, threat, model):
                left_out.append(f"{kind_of_threat(threat) or repr(threat[:60])} is not stated: {why}")
            else:
                by_kind.setdefault(kind_of_threat(threat), []).append((each, threat))
    if reports and not by_kind:
        raise UsageError(
            "; ".join(left_out) or "nothing was measured in these reports, so there is nothing to state",
            hint="redan check, or redan scan MODEL --digest-all -o report.json",
        )
    return Prepared(results={kind: _result(parts, sealed) for kind, parts in by_kind.items()}, left_out=tuple(left_out))


def insist_about(report: Report, model: Model) -> None:
    """Insist that a report is about a model: every file it measured is one of the model's, unchanged.

    Raises:
        SignatureRefused: it is not, with the first file that differs.
    """
    parts = [part for part in report.subject.components if part.role in _OF_THE_MODEL]
    if not parts:
        raise SignatureRefused(
            f"the report about {report.subject.name!r} is not bound to any file: it measured "
            f"{'an endpoint' if report.subject.kind in ('http', 'chat') else 'something that was only in memory'}",
            hint="measure the model's own file or folder and seal that report",
        )
    known = {*model.files.values(), *_joined(model)}
    for part in parts:
        if not part.sha256:
            raise SignatureRefused(
                f"the report names {part.uri!r} without its digest, so it fits any file of that name",
                hint="redan scan MODEL --digest-all -o report.json",
            )
        if part.sha256 not in known:
            raise SignatureRefused(
                f"the report is about another model: it measured {part.uri!r} with SHA-256 {part.sha256[:12]}…, "
                f"and no file of {model.name!r} has that digest",
                hint="measure this very file or folder; what a factory makes is bound to a file by --weights FILE",
            )


def _joined(model: Model) -> Iterable[str]:
    """Yield the digests under which an adapter names weights that lie in several files."""
    for endings in ((".safetensors",), (".bin",), (".safetensors", ".bin")):
        parts = sorted(digest for name, digest in model.files.items() if name.endswith(endings))
        if len(parts) > 1:
            yield sha256("\n".join(parts).encode()).hexdigest()


def _unstatable(report: Report, threat: str, model: Model) -> str:
    """Say why the part of a report about one threat cannot be stated, or return an empty string."""
    if not kind_of_threat(threat):
        return "a threat of that name cannot be told from another kind of statement"
    if all(p.outcome == "skipped" for p in report.probes if p.threat == threat):
        return "every probe was skipped"
    if threat != SCANNING:
        return ""
    seen = {a.sha256 for a in report.artifacts} | {part.sha256 for part in report.subject.components}
    missed = [name for name, digest in model.files.items() if digest not in seen]
    if not missed:
        return ""
    more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
    return f"the scan did not look at {missed[0]!r}{more}; seal a report of redan scan MODEL --digest-all"


def _result(parts: Sequence[tuple[Sourced, str]], sealed: datetime) -> Result:
    reports = [(each.report, threat) for each, threat in parts]
    sources = tuple(
        Source(
            sha256=s.sha256,
            run=encode(s.report.run),
            gate=encode(s.report.gate),
            finished=_text(finished(s.report)),
        )
        for s, _ in parts
    )
    findings = [f for report, threat in reports for f in report.findings if f.threat == threat]
    scans = [report for report, threat in reports if threat == SCANNING]
    return Result(
        tool=parts[0][0].report.tool,
        finished=_text(min(finished(report) for report, _ in reports)),
        sealed=_text(sealed),
        sources=sources,
        measured=_measured([report for report, _ in reports]),
        probes=tuple(
            Ended(probe=p.probe, name=p.name, outcome=p.outcome, why=p.why)
            for report, threat in reports
            for p in report.probes
            if p.threat == threat
        ),
        counts=_counts(findings),
        claims=(*_claims(findings), *(count for report in scans for count in _file_counts(report))),
        set_aside=_set_aside(findings),
        unexamined=tuple(u.path for report in scans for u in report.unexamined)[:MOST_UNEXAMINED],
    )


def _measured(reports: Sequence[Report]) -> tuple[dict[str, Any], ...]:
    return tuple(encode(part) for part in dict.fromkeys(c for r in reports for c in r.subject.components))


def _counts(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (status, severity), number in sorted(Counter((f.status, f.severity.word) for f in findings).items()):
        found.setdefault(status, {})[severity] = number
    return found


def _claims(findings: Iterable[Finding]) -> Iterable[Claim]:
    for finding in findings:
        for q in finding.quantities:
            yield Claim(
                rule=finding.rule,
                name=q.name,
                params=finding.params,
                value=q.value,
                unit=q.unit,
                n=q.n,
                low=q.low,
                high=q.high,
                better=q.better,
                partial=q.partial,
                status=finding.status,
            )


def _file_counts(report: Report) -> Iterable[Claim]:
    verdicts: dict[str, int] = Counter(a.verdict for a in report.artifacts)
    total = len(report.artifacts) + len(report.examined) + len(report.unexamined)
    numbers = {"unsafe_files": verdicts["unsafe"], "unknown_files": verdicts["unknown"]}
    for name, number in {**numbers, "unexamined_files": len(report.unexamined)}.items():
        value = float(number)
        yield Claim(rule="", name=name, value=value, unit="count", n=total, low=value, high=value, better="lower")


def _set_aside(findings: Iterable[Finding]) -> tuple[SetAside, ...]:
    return tuple(
        SetAside(
            rule=f.rule,
            fingerprint=f.fingerprint,
            severity=f.severity,
            reason=f.suppression.reason if f.suppression else "",
            expires=f.suppression.expires if f.suppression else "",
        )
        for f in findings
        if f.status == "suppressed"
    )


def finished(report: Report) -> datetime:
    """Return when a run ended, UTC.

    Raises:
        UsageError: the report does not say when the run started, or not in which time zone.
    """
    try:
        started = datetime.fromisoformat(report.run.started)
        if started.tzinfo is None:
            raise ValueError("there is no time zone")
        return (started + timedelta(seconds=report.run.wall_s)).astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise UsageError(
            f"the report says {report.run.started!r} for when it was made; expected UTC time, ISO 8601"
        ) from err


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
