"""Questions to the index of the audit log: who did what, newest first, page by page.

What no index of the database answers is looked for in windows of `WINDOW_ROWS` records, so that a search can end
between two of them, and say how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, func, or_, select, tuple_

from redan.core.errors import UsageError
from redan.service.audit.act import Act
from redan.service.audit.index import act_of, shown
from redan.service.audit.tables import answers, records

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, UnaryExpression

    from redan.evidence.store.database import Database
    from redan.service.audit.redaction import Redaction

MOST_ROWS = 10_000
PAGE_ROWS = 100
WINDOW_ROWS = 10_000
IDS_AT_ONCE = 500
_KINDS = ("client:", "user:")
_ORDER = (records.c.t_us, records.c.replica, records.c.index)
Place = tuple[int, str, int]
"""(t_us, replica, index) of a record: the order of every answer, newest first."""


class Found(msgspec.Struct, kw_only=True, frozen=True):
    """A record and where it stands.

    Attributes:
        replica: whose log.
        index: place in that log.
        act: what it says.
    """

    replica: str
    index: int
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found.

    Attributes:
        records: newest first.
        ended: where it ended before it had as many as were asked for, or all there are; a query goes on ``after`` it.
    """

    records: list[Found]
    ended: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What records must fit; empty and None stand for anything.

    Attributes:
        client: who: a name, or ``client:NAME``; finds records under its pseudonym too.
        model: ``name`` or ``name@version``.
        since_us: first time, microseconds since the epoch.
        until_us: time before which.
        ok: allowed or denied.
        why: reason of a denial.
        act: name of the action.
        address: network address; finds its pseudonym too.
        text: anything that stands in the record.
        replica: whose log.
        after: (t_us, replica, index) of the last record of the page before.
        limit: most records.
    """

    client: str = ""
    model: str = ""
    since_us: int | None = None
    until_us: int | None = None
    ok: bool | None = None
    why: str = ""
    act: str = ""
    address: str = ""
    text: str = ""
    replica: str = ""
    after: Place | None = None
    limit: int = PAGE_ROWS

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_ROWS:
            raise UsageError(f"{self.limit} records at once; expected 1 to {MOST_ROWS}", hint="ask page by page")
        texts = (self.client, self.model, self.why, self.act, self.address, self.text, self.replica)
        if any("\x00" in text for text in texts):
            raise UsageError("a question holds a NUL character", hint="no record does")


def names(client: str, redaction: Redaction | None) -> list[str]:
    """Return everything that a client's records may be stored under."""
    given = [client] if client.startswith((*_KINDS, "~", "-", "system:")) else [client, *(k + client for k in _KINDS)]
    if redaction is None:
        return given
    return list(dict.fromkeys(name for one in given for name in redaction.names("client", one)))


def search(
    database: Database,
    query: Query,
    redaction: Redaction | None = None,
    *,
    goes_on: Callable[[int], bool] = lambda rows: True,
) -> Searched:
    """Return the newest records that fit, newest first by their own time.

    Args:
        database: the service's.
        query: what they must fit.
        redaction: finds pseudonyms; None searches for what is given alone.
        goes_on: is asked between windows, with the number of records looked at so far.

    Raises:
        EvidenceError: the database does not answer.
    """
    quick, slow = _quick(query, redaction), _slow(query, redaction, sqlite=database.is_sqlite)
    found: list[Found] = []
    after, looked = query.after, 0
    with database.reading() as connection:
        while True:
            within = [*quick, *([tuple_(*_ORDER) < after] if after is not None else [])]
            ends = connection.execute(_ending(within)).one_or_none() if slow else None
            if ends is not None:
                within.append(tuple_(*_ORDER) >= tuple(ends))
            rows = connection.execute(_statement([*within, *slow], query.limit - len(found))).all()
            found += [Found(replica=name, index=index, act=act_of(text.encode())) for name, index, text in rows]
            looked += WINDOW_ROWS
            if ends is None or len(found) == query.limit:
                return Searched(records=found)
            after = (ends[0], ends[1], ends[2])
            if not goes_on(looked):
                return Searched(records=found, ended=after)


def answered(database: Database, ids: Sequence[str]) -> dict[str, Act]:
    """Return the records of answered requests by their identifiers, of every replica, where labels are kept.

    Args:
        database: the service's.
        ids: of requests; what is not indexed is left out.

    Raises:
        EvidenceError: the database does not answer.
    """
    here = (answers.c.replica == records.c.replica) & (answers.c.index == records.c.index)
    question = select(answers.c.id, records.c.entry).join(records, here)
    found: dict[str, Act] = {}
    with database.reading() as connection:
        for at in range(0, len(ids), IDS_AT_ONCE):
            wanted = [each for each in ids[at : at + IDS_AT_ONCE] if "\x00" not in each]
            rows = connection.execute(question.where(answers.c.id.in_(wanted)))
            found |= {id: act_of(text.encode()) for id, text in rows}
    return found


def _statement(conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
    columns = (records.c.replica, records.c.index, records.c.entry)
    return select(*columns).where(and_(True, *conditions)).order_by(*_newest()).limit(limit)


def _ending(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Ask for the place of a window's last record; there is none where the rest fits into the window."""
    ordered = select(*_ORDER).where(and_(True, *conditions)).order_by(*_newest())
    return ordered.limit(1).offset(WINDOW_ROWS - 1)


def _newest() -> list[UnaryExpression[Any]]:
    return [column.desc() for column in _ORDER]


def _quick(query: Query, redaction: Redaction | None) -> list[ColumnElement[bool]]:
    """Return the conditions that the database has an index for."""
    c = records.c
    found: list[ColumnElement[bool]] = []
    if query.client:
        found.append(c.who.in_([shown(name) for name in names(query.client, redaction)]))
    if query.since_us is not None:
        found.append(c.t_us >= query.since_us)
    if query.until_us is not None:
        found.append(c.t_us < query.until_us)
    return found


def _slow(query: Query, redaction: Redaction | None, *, sqlite: bool) -> list[ColumnElement[bool]]:
    """Return the conditions that each record has to be looked at for."""
    c = records.c
    found = [
        column == value
        for column, value in ((c.why, query.why), (c.act, query.act), (c.replica, query.replica))
        if value
    ]
    if query.address:
        addresses = (query.address,) if redaction is None else redaction.names("address", query.address)
        found.append(c.addr.in_(addresses))
    if query.model:
        version = query.model + "@"
        found.append(or_(c.model == query.model, func.substr(c.model, 1, len(version)) == version))
    if query.ok is not None:
        found.append(c.ok.is_(query.ok))
    if query.text:
        place = func.instr if sqlite else func.strpos
        found.append(place(c.entry, query.text) > 0)
    return found
