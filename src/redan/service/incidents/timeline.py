"""Incidents in the database: opened once, joined by what belongs to them, added to and never changed.

Functions take a connection inside `Database.writing` or `Database.reading`; whoever adds takes `lock` first, so that
replicas follow each other and two of them opening the same incident at once give one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select

from redan.core.codec import encode
from redan.core.errors import UnknownName, UsageError
from redan.evidence.store.clear import now_us, searchable
from redan.evidence.store.database import insert_new
from redan.service.audit.act import Act
from redan.service.incidents import tables
from redan.service.incidents.incident import CONTAINING, ITSELF, Entry, Incident, chained, folded

if TYPE_CHECKING:
    from redan.core.finding import Finding

MOST_ENTRIES = 5000
"""Entries of an incident beyond which findings are not written down any more; what people do still is."""
MOST_BODY_CHARS = 100_000
CLAIM_US = 300_000_000
"""A step that was begun longer ago than this is begun again: whoever began it is gone."""
_LOCK = 7265647


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a finding.

    Attributes:
        incident: as it is now.
        what: it opened the incident, joined it, or was in it already.
    """

    incident: Incident
    what: Literal["opened", "joined", "known"]


def lock(connection: Connection) -> None:
    """Wait until no other replica adds; ends with the transaction (SQLite's write lock is held already)."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def client_of(finding: Finding) -> str:
    """Return the client that a finding speaks of, or an empty text."""
    return next((place.address for place in finding.locations if place.uri == "client"), "")


def take(
    connection: Connection, finding: Finding, *, who: str = ITSELF, known: dict[int, Incident] | None = None
) -> Taken:
    """Open an incident for a finding, or add it to the open one of the same rule and subject or the same client.

    Args:
        connection: inside `Database.writing`.
        finding: what was found.
        who: who says so.
        known: incidents that were read in this transaction, by number; kept up to date.
    """
    known = {} if known is None else known
    lock(connection)
    client = searchable(client_of(finding))
    slots = _slots(searchable(finding.rule), searchable(finding.subject), client)
    wanted = select(func.min(tables.slots.c.incident)).where(tables.slots.c.slot.in_(slots))
    number = connection.execute(wanted).scalar()
    if number is None:
        incident = _opened(connection, finding)
        what: Literal["opened", "joined", "known"] = "opened"
    else:
        incident, what = known.get(number) or read(connection, number), "joined"
        known[number] = incident
        if _tells_nothing(incident, finding):
            return Taken(incident=incident, what="known")
    insert_new(connection, tables.slots, [{"slot": slot, "incident": incident.number} for slot in slots])
    kind = "opened" if what == "opened" else "finding"
    incident = add(connection, incident, kind, who=who, text=finding.title, body=_body(finding, client))
    known[incident.number] = incident
    return Taken(incident=incident, what=what)


def _tells_nothing(incident: Incident, finding: Finding) -> bool:
    if len(incident.entries) >= MOST_ENTRIES:
        return True
    known = incident.fingerprints.get(finding.fingerprint)
    # whom a step let go again is looked at anew
    released = any(step.over(now_us()) for step in incident.steps.values())
    return known is not None and known >= finding.severity and not released


def _slots(rule: str, subject: str, client: str) -> list[str]:
    keys = [["rule", rule, subject], *([["client", client]] if client else [])]
    return [sha256(json.dumps(key).encode()).hexdigest() for key in keys]


def _opened(connection: Connection, finding: Finding) -> Incident:
    last = connection.execute(select(func.max(tables.incidents.c.number))).scalar()
    incident = Incident(
        number=(last or 0) + 1,
        title=_line(finding.title),
        rule=_line(finding.rule),
        threat=_line(finding.threat),
        subject=_line(finding.subject),
        opened_us=now_us(),
    )
    connection.execute(insert(tables.incidents).values({c.name: getattr(incident, c.name) for c in tables.incidents.c}))
    return incident


def _body(finding: Finding, client: str) -> dict[str, Any]:
    numbers = [
        {"name": q.name, "unit": q.unit, "n": q.n, **encode({"value": q.value, "low": q.low, "high": q.high})}
        for q in finding.quantities[:8]
    ]
    return {
        "rule": searchable(finding.rule),
        "threat": searchable(finding.threat),
        "subject": searchable(finding.subject),
        "severity": finding.severity.word,
        "fingerprint": finding.fingerprint,
        "client": client,
        "quantities": numbers,
        "evidence": [e.sha256 for e in finding.evidence[:32]],
    }


def add(
    connection: Connection, incident: Incident, kind: str, *, who: str, text: str, body: Mapping[str, Any]
) -> Incident:
    """Add an entry to an incident that was read under the lock, and name it for the audit log.

    Raises:
        UsageError: the incident's state does not allow it, or the entry is too large.
    """
    clean: dict[str, Any] = json.loads(_json(body).replace("\\u0000", "\\ufffd"))
    if len(_json(clean)) > MOST_BODY_CHARS:
        raise UsageError(f"an entry takes at most {MOST_BODY_CHARS} characters", hint="write the rest into a file")
    # a clock that was set back must not put an effect before its cause
    t_us = max(now_us(), incident.entries[-1].t_us if incident.entries else incident.opened_us)
    entry = chained(incident, t_us=t_us, who=searchable(who), kind=kind, text=_line(text), body=clean)
    row = {c.name: getattr(entry, c.name) for c in tables.entries.c} | {"body": _json(clean)}
    connection.execute(insert(tables.entries).values(row))
    connection.execute(insert(tables.outbox).values(incident=entry.incident, position=entry.position))
    if kind == "step":
        _set_due(connection, entry)
    if kind == "closed":
        for table in (tables.slots, tables.due):
            connection.execute(delete(table).where(table.c.incident == incident.number))
    return folded(incident, [entry])


def _set_due(connection: Connection, entry: Entry) -> None:
    name, status = entry.body["step"], entry.body["status"]
    here = (tables.due.c.incident == entry.incident) & (tables.due.c.step == name)
    connection.execute(delete(tables.due).where(here))
    after_us = {
        "ordered": 0,
        "undo-ordered": 0,
        "started": entry.t_us + CLAIM_US,
        "observing": int(entry.body.get("until_us", 0)),
    }.get(status)
    if after_us is not None:
        contains = int(entry.body["do"] in CONTAINING)
        row = {
            "incident": entry.incident,
            "step": name,
            "contains": contains,
            "after_us": after_us,
            "position": entry.position,
        }
        connection.execute(insert(tables.due).values(row))


def due(connection: Connection, *, containing: bool) -> tuple[int, str] | None:
    """Return number and step of what somebody must do now, the oldest incident first, or None."""
    rows = tables.due.c
    query = select(rows.incident, rows.step).where(rows.contains == int(containing), rows.after_us <= now_us())
    found = connection.execute(query.order_by(rows.incident, rows.position).limit(1)).first()
    return None if found is None else (int(found[0]), str(found[1]))


def _line(text: str) -> str:
    """Return a text as one line that changes no terminal and no Markdown around it."""
    words = " ".join(searchable(text).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in words)


def read(connection: Connection, number: int) -> Incident:
    """Return an incident with its whole timeline, each entry held against the one before.

    Raises:
        UnknownName: there is none of that number.
        SignatureRefused: its entries were changed.
    """
    row = connection.execute(select(tables.incidents).where(tables.incidents.c.number == number)).first()
    if row is None:
        raise UnknownName(f"there is no incident {number}", hint="redan incident list")
    rows = connection.execute(
        select(tables.entries).where(tables.entries.c.incident == number).order_by(tables.entries.c.position)
    )
    return folded(Incident(**row._mapping), map(_entry, rows))


def _entry(row: Row[Any]) -> Entry:
    return Entry(**{**row._mapping, "body": json.loads(row._mapping["body"])})


def listed(connection: Connection, *, limit: int = 100) -> list[Incident]:
    """Return the newest incidents, newest first."""
    newest = select(tables.incidents).order_by(tables.incidents.c.number.desc()).limit(limit)
    incidents = [Incident(**row._mapping) for row in connection.execute(newest)]
    lines = tables.entries.c
    wanted = lines.incident.in_([incident.number for incident in incidents])
    told: dict[int, list[Entry]] = defaultdict(list)
    ordered = select(tables.entries).where(wanted).order_by(lines.incident, lines.position)
    for entry in map(_entry, connection.execute(ordered)):
        told[entry.incident].append(entry)
    return [folded(incident, told[incident.number]) for incident in incidents]


def unaudited(connection: Connection, replica: str, limit: int = 256) -> list[tuple[tuple[int, int], Act]]:
    """Return entries that the audit log does not hold yet, each as the act to record."""
    both = tables.entries.join(
        tables.outbox,
        (tables.entries.c.incident == tables.outbox.c.incident)
        & (tables.entries.c.position == tables.outbox.c.position),
    )
    rows = connection.execute(
        select(tables.entries).select_from(both).order_by(tables.entries.c.t_us, tables.entries.c.position).limit(limit)
    )
    return [((entry.incident, entry.position), act_of(entry, replica)) for entry in map(_entry, rows)]


def act_of(entry: Entry, replica: str) -> Act:
    """Return an entry as the audit log records it: its digest stands where a request's would."""
    status = entry.body.get("status")
    return Act(
        t_us=entry.t_us,
        who=entry.who,
        act="incidents.act",
        model=f"incident/{entry.incident}",
        x=entry.sha256,
        why=f"{entry.kind}-{status}" if entry.kind == "step" else entry.kind,
        by=replica,
        more={"position": entry.position, "text": entry.text},
    )


def audited(connection: Connection, keys: Sequence[tuple[int, int]]) -> None:
    """Note that the audit log holds entries, by incident and position."""
    for incident, position in keys:
        here = (tables.outbox.c.incident == incident) & (tables.outbox.c.position == position)
        connection.execute(delete(tables.outbox).where(here))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
