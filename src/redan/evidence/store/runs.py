"""Runs: the report as a blob, its evidence as blobs, and one row for the run and for each finding to search by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from redan.core.errors import UnknownName, UsageError
from redan.core.report import Blobs, Report
from redan.evidence.store import tables
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.clear import now_us, read_us, searchable
from redan.evidence.store.database import insert_new
from redan.evidence.store.opening import Store

ID_DIGITS = 16
LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What adding came to.

    Attributes:
        id: of the run or statement.
        new: whether it was not in the store before.
        n_blobs: pieces of evidence that are in the store with it.
        n_missing: pieces that the report names and whose bytes were not at hand.
    """

    id: str
    new: bool
    n_blobs: int = 0
    n_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What the database knows of a run.

    Attributes:
        id: first digits of the report's name.
        report: name of the blob that holds the report.
        subject: name of what was measured.
        subject_sha256: digest of what exactly was measured, empty if the report does not know it.
        verdict: pass, fail or undecided.
        gate: severity from which the run failed.
        n_findings: number of findings, the suppressed ones too.
        tool: who wrote the report.
        started_us: when the run started, microseconds since 1970, UTC.
        added_us: when it came into the store, likewise.
    """

    id: str
    report: str
    subject: str
    subject_sha256: str
    verdict: str
    gate: int
    n_findings: int
    tool: str
    started_us: int
    added_us: int


def add(store: Store, data: bytes, *, evidence: Blobs | None = None) -> Added:
    """Keep a report (its bytes as they are, so that its digest stays what was signed) and its evidence.

    Args:
        store: where.
        data: a redan/1 document.
        evidence: where the bytes of its evidence lie; None keeps the report alone.

    Raises:
        ConfigError: the bytes are no report.
        EvidenceError: a piece of evidence is missing or was changed, or the store cannot be written.
    """
    report = Report.from_json(data)
    row = run_row(report)
    wanted = dict.fromkeys(e.sha256 for f in report.findings for e in f.evidence)
    blobs = StoreBlobs(store)
    if evidence is not None:
        for digest in wanted:
            blobs.put_bytes(evidence.get(digest))
    held = [store.name(digest) for digest in wanted if evidence is not None or blobs.holds(digest)]
    name = store.name(blobs.put_bytes(data))
    run = name[:ID_DIGITS]
    with store.database.writing() as connection:
        full = {"id": run, "report": name, "added_us": now_us(), **row}
        new = bool(insert_new(connection, tables.runs, [full]))
        if new and report.findings:
            connection.execute(insert(tables.findings), [{"run": run, **found} for found in finding_rows(report)])
        insert_new(connection, tables.run_evidence, [{"run": run, "blob": blob} for blob in sorted(held)])
    return Added(id=run, new=new, n_blobs=len(held), n_missing=len(wanted) - len(held))


def run_row(report: Report) -> dict[str, Any]:
    """Return what the database holds of a report.

    Raises:
        UsageError: the report's time is none.
    """
    return {
        "subject": searchable(report.subject.name),
        "subject_sha256": report.subject.digest,
        "verdict": report.gate.verdict,
        "gate": int(report.gate.level),
        "n_findings": len(report.findings),
        "tool": searchable(f"{report.tool.name} {report.tool.version}"),
        "started_us": read_us(report.run.started, "the report's start"),
    }


def finding_rows(report: Report) -> Iterator[dict[str, Any]]:
    """Return what the database holds of each finding of a report, in order."""
    found_us = read_us(report.run.started, "the report's start")
    for position, finding in enumerate(report.findings):
        yield {
            "position": position,
            "rule": searchable(finding.rule),
            "threat": searchable(finding.threat),
            "subject": searchable(finding.subject),
            "severity": int(finding.severity),
            "status": finding.status,
            "fingerprint": finding.fingerprint,
            "found_us": found_us,
        }


def listed(
    store: Store,
    *,
    subject: str | None = None,
    digest: str | None = None,
    since_us: int | None = None,
    limit: int = 100,
) -> list[RunRow]:
    """Return runs, the newest first.

    Args:
        store: where.
        subject: name of what was measured.
        digest: SHA-256 over what exactly was measured.
        since_us: started at or after this time.
        limit: the most to return.
    """
    runs = tables.runs
    query = select(runs).order_by(runs.c.started_us.desc(), runs.c.added_us.desc(), runs.c.id).limit(limit)
    if subject is not None:
        query = query.where(runs.c.subject == searchable(subject))
    if digest is not None:
        query = query.where(runs.c.subject_sha256 == searchable(digest))
    if since_us is not None:
        query = query.where(runs.c.started_us >= since_us)
    with store.database.reading() as connection:
        return [RunRow(**row._mapping) for row in connection.execute(query)]


def found(store: Store, words: str) -> RunRow:
    """Return the run of an id, of the beginning of an id that only one run has, or ``latest``.

    Raises:
        UnknownName: there is no such run.
        UsageError: several runs begin like this.
    """
    runs = tables.runs
    query = select(runs).order_by(runs.c.started_us.desc(), runs.c.added_us.desc(), runs.c.id).limit(2)
    if words != LATEST:
        query = query.where(runs.c.id.startswith(searchable(words), autoescape=True))
    with store.database.reading() as connection:
        rows = connection.execute(query).all()
    if not rows:
        raise UnknownName(f"the store has no run {words!r}", hint="redan store list")
    if len(rows) > 1 and words != LATEST:
        raise UsageError(f"several runs begin with {words!r}", hint="give more digits")
    return RunRow(**rows[0]._mapping)


def report(store: Store, run: RunRow) -> Report:
    """Return a run's report, with its evidence at hand.

    Raises:
        EvidenceError: it is missing, was changed, or its key is not at hand.
    """
    blobs = StoreBlobs(store)
    return Report.from_json(report_bytes(store, run), blobs=blobs)


def report_bytes(store: Store, run: RunRow) -> bytes:
    """Return a run's report as it was added.

    Raises:
        EvidenceError: it is missing, was changed, or its key is not at hand.
    """
    return StoreBlobs(store).get_named(run.report)
