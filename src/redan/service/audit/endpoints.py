"""The audit log over HTTP: search, one record with its proof, a range to take away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from redan.core.errors import UnknownName, UsageError
from redan.evidence.log import LogReader
from redan.evidence.log.proving import inclusion_file
from redan.service.audit import export, places
from redan.service.audit.act import Act
from redan.service.audit.index import act_of
from redan.service.audit.query import PAGE_ROWS, Found, Query, Searched
from redan.service.audit.recorder import LogAuditor
from redan.service.audit.searching import searched
from redan.service.gateway.refusal import MALFORMED
from redan.service.web.answers import json
from redan.service.web.endpoint import Asked, Endpoint, get, post
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.parts import Parts

MOST_PAGE_ROWS = 1000
MOST_EXPORTED = 10_000
_MOST_DIGITS = 18
_TEXTS = ("client", "model", "why", "act", "address", "text", "replica")


class Page(msgspec.Struct, kw_only=True, frozen=True):
    """Records, newest first, and the cursor of the next page, empty on the last.

    Attributes:
        records: newest first.
        next: cursor of the next page.
        ended_us: time of the last record that was looked at, where the search had looked long enough before it found
            as many as were asked for; else 0.
    """

    records: list[Found]
    next: str = ""
    ended_us: int = 0


class Proved(msgspec.Struct, kw_only=True, frozen=True):
    """A record, its bytes as logged, and a C2SP tlog-proof with a signed checkpoint."""

    replica: str
    index: int
    act: Act
    entry: str
    proof: str


class Range(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Records of one replica to export, from ``start`` up to ``stop``; everything signed when that is left out."""

    replica: str
    start: int = 0
    stop: int | None = None


async def records(asked: Asked) -> Response:
    """Search the index."""
    query = _query(asked)
    auditor = asked.parts.auditor
    redaction = auditor.redaction if isinstance(auditor, LogAuditor) else None
    found = await searched(asked.parts.database, query, redaction)
    asked.note["records"] = len(found.records)
    ended_us = found.ended[0] if found.ended is not None else 0
    return json(Page(records=found.records, next=cursor(found, query.limit), ended_us=ended_us))


def cursor(found: Searched, limit: int) -> str:
    """Return the cursor of the page after the first ``limit`` records of a search, or an empty text."""
    place = found.ended
    if len(found.records) >= limit:
        last = found.records[limit - 1]
        place = last.act.t_us, last.replica, last.index
    return f"{place[0]}.{place[2]}.{place[1]}" if place is not None else ""


async def one(asked: Asked) -> Response:
    """Show one record with its proof."""
    replica, index = str(asked.request.path_params["replica"]), str(asked.request.path_params["index"])
    if not (index.isascii() and index.isdecimal() and len(index) <= _MOST_DIGITS):
        raise UnknownName("a record is known by its number")
    return json(await asyncio.to_thread(_proved, asked.parts, replica, int(index)))


async def take(asked: Asked) -> Response:
    """Export a range."""
    wanted: Range = asked.body
    data = await asyncio.to_thread(_exported, asked.parts, wanted)
    asked.note.update({"replica": wanted.replica, "records": data.count(b"\n") - 1, "start": wanted.start})
    return Response(data, media_type="application/x-ndjson")


def _query(asked: Asked) -> Query:
    given = asked.request.query_params
    unknown = set(given) - {*_TEXTS, "since_us", "until_us", "verdict", "limit", "after"}
    try:
        if unknown or any(len(value) > 512 for value in given.values()):
            raise ValueError
        limit = int(given.get("limit", PAGE_ROWS))
        if not 1 <= limit <= MOST_PAGE_ROWS:
            raise ValueError
        return Query(
            **{name: given.get(name, "") for name in _TEXTS},
            since_us=_number(given.get("since_us")),
            until_us=_number(given.get("until_us")),
            ok={None: None, "allowed": True, "denied": False}[given.get("verdict")],
            after=_cursor(given.get("after", "")),
            limit=limit,
        )
    except (ValueError, KeyError, UsageError) as err:
        raise Refused(MALFORMED, f"expected no more than {', '.join(_TEXTS)}, since_us, until_us, verdict=allowed or "
                      f"denied, after, and limit from 1 to {MOST_PAGE_ROWS}") from err  # fmt: skip


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError
    return value


def _cursor(text: str) -> tuple[int, str, int] | None:
    if not text:
        return None
    when, index, replica = text.split(".", 2)
    if "\x00" in replica:
        raise ValueError
    t_us, place = _number(when), _number(index)
    assert t_us is not None
    assert place is not None
    return t_us, replica, place


def _folder(parts: Parts, replica: str) -> Path:
    """Return the log of a replica on this machine."""
    for folder in places.log_folders(parts.settings, parts.root):
        if folder.name == replica:
            return folder
    raise UnknownName(f"the log of {replica[:64]!r} is not on this machine", hint="ask that replica")


def _proved(parts: Parts, replica: str, index: int) -> Proved:
    reader = LogReader(_folder(parts, replica))
    if not 0 <= index < reader.size:
        raise UnknownName(f"the log has no signed record {index}")
    if index < reader.pruned:
        raise UnknownName(f"record {index} was pruned; its hash and proof are kept, its text is not")
    entry = reader.entry(index)
    return Proved(
        replica=replica, index=index, act=act_of(entry), entry=entry.decode("utf-8", "replace"),
        proof=inclusion_file(reader, index),
    )  # fmt: skip


def _exported(parts: Parts, wanted: Range) -> bytes:
    folder = _folder(parts, wanted.replica)
    stop = LogReader(folder).size if wanted.stop is None else wanted.stop
    if stop - wanted.start > MOST_EXPORTED:
        raise UsageError(f"{stop - wanted.start} records at once", hint=f"at most {MOST_EXPORTED}; ask range by range")
    return b"".join(export.lines(folder, wanted.start, stop))


ENDPOINTS: tuple[Endpoint, ...] = (
    get("/v1/audit", "audit.read", records, "search the audit log, newest first", gives=Page),
    get(
        "/v1/audit/{replica}/{index}",
        "audit.read",
        one,
        "one record with a proof that it stands in the log",
        gives=Proved,
    ),
    post(
        "/v1/audit/export",
        "audit.export",
        take,
        "a range of records with proofs, as JSON lines that verify offline",
        takes=Range,
    ),
)
