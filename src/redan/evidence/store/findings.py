"""Findings of all runs, searched by rule, severity, subject, fingerprint and time without opening a report."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from redan.core.finding import Severity
from redan.evidence.store import tables
from redan.evidence.store.clear import searchable
from redan.evidence.store.opening import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """What the database knows of a finding; the rest is in the report of its run.

    Attributes:
        run: id of the run.
        position: place among the report's findings, from 0.
        rule: rule's identifier.
        threat: threat's identifier.
        subject: name of what was measured.
        severity: as judged then.
        status: open, suppressed, baseline, mitigated or inconclusive.
        fingerprint: the same for the same finding in another run.
        found_us: start of the run, microseconds since 1970.
    """

    run: str
    position: int
    rule: str
    threat: str
    subject: str
    severity: int
    status: str
    fingerprint: str
    found_us: int


def search(
    store: Store,
    *,
    run: str | None = None,
    rule: str | None = None,
    severity: Severity | None = None,
    subject: str | None = None,
    fingerprint: str | None = None,
    since_us: int | None = None,
    limit: int = 100,
) -> list[FindingRow]:
    """Return findings, the newest run first, then the most severe.

    Args:
        store: where.
        run: of this run only.
        rule: of this rule only.
        severity: at least this severe.
        subject: about this subject only.
        fingerprint: with this fingerprint only: the history of one finding.
        since_us: in runs started at or after this time.
        limit: the most to return.
    """
    table = tables.findings
    order = (table.c.found_us.desc(), table.c.severity.desc(), table.c.run, table.c.position)
    query = select(table).order_by(*order).limit(limit)
    for column, value in (("run", run), ("rule", rule), ("subject", subject), ("fingerprint", fingerprint)):
        if value is not None:
            query = query.where(table.c[column] == searchable(value))
    if severity is not None:
        query = query.where(table.c.severity >= int(severity))
    if since_us is not None:
        query = query.where(table.c.found_us >= since_us)
    with store.database.reading() as connection:
        return [FindingRow(**row._mapping) for row in connection.execute(query)]
