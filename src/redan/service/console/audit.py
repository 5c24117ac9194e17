"""Pages of the audit log: search, page by page; one record with its proof; a range to take away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from redan.core.errors import UsageError
from redan.evidence.log import LogReader
from redan.evidence.store.clear import read_us
from redan.service.audit import endpoints as api
from redan.service.audit import places
from redan.service.audit.query import Query, Searched
from redan.service.audit.recorder import LogAuditor
from redan.service.audit.searching import searched
from redan.service.console.forms import fields
from redan.service.console.rendering import render
from redan.service.gateway.refusal import MALFORMED
from redan.service.identity.actions import ACTIONS
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked

PAGE_ROWS = 50
_TEXTS = ("client", "model", "why", "act", "address", "text", "replica")
_TIMES = ("since", "until")
_MOST_CHARS = 256


async def searching(asked: Asked) -> Response:
    """Search the index."""
    given = {name: value.strip() for name, value in asked.request.query_params.items() if value.strip()}
    auditor = asked.parts.auditor
    redaction = auditor.redaction if isinstance(auditor, LogAuditor) else None
    wrong = ""
    try:
        query = _query(given)
    except (UsageError, ValueError, KeyError) as error:
        query, wrong = None, error.message if isinstance(error, UsageError) else "the address names what is no filter"
    found = Searched(records=[]) if query is None else await searched(asked.parts.database, query, redaction)
    # one more than is shown was asked for, which tells whether there is another page
    shown, more = found.records[:PAGE_ROWS], len(found.records) > PAGE_ROWS or found.ended is not None
    asked.note["records"] = len(shown)
    rest = {name: value for name, value in given.items() if name not in ("after", "done")}
    older = urlencode({**rest, "after": api.cursor(found, PAGE_ROWS)}) if more else ""
    return render(
        asked,
        "console_audit.html",
        status=400 if wrong else 200,
        given=given,
        records=shown,
        older=older,
        ended_us=found.ended[0] if found.ended is not None else 0,
        newest="after" in given,
        first=urlencode(rest),
        wrong=wrong,
        acts=sorted(ACTIONS),
        logs=await asyncio.to_thread(_logs, asked.parts),
    )


def _query(given: dict[str, str]) -> Query:
    if set(given) - {*_TEXTS, *_TIMES, "verdict", "after", "done"} or any(len(v) > _MOST_CHARS for v in given.values()):
        raise ValueError
    since, until = (read_us(given[name], name) if name in given else None for name in _TIMES)
    after = None
    if "after" in given:
        when, index, replica = given["after"].split(".", 2)
        after = (_whole(when), replica, _whole(index))
    return Query(
        **{name: given.get(name, "") for name in _TEXTS},
        since_us=since,
        until_us=until,
        ok={"": None, "allowed": True, "denied": False}[given.get("verdict", "")],
        after=after,
        limit=PAGE_ROWS + 1,
    )


def _whole(text: str) -> int:
    value = int(text)
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError
    return value


def _logs(parts: Parts) -> list[tuple[str, int]]:
    """Return the logs on this machine: replica and number of signed records."""
    return [(folder.name, LogReader(folder).size) for folder in places.log_folders(parts.settings, parts.root)]


async def record(asked: Asked) -> Response:
    """Show one record with everything that it says."""
    found = await _proved(asked)
    said: dict[str, Any] = msgspec.to_builtins(found.act)
    return render(asked, "console_record.html", found=found, said=said)


async def proof(asked: Asked) -> Response:
    """Give the proof that a record stands in the log, as a file."""
    found = await _proved(asked)
    return _file(found.proof.encode(), "text/plain; charset=utf-8", f"{found.replica}-{found.index}.tlog-proof")


async def entry(asked: Asked) -> Response:
    """Give the bytes of a record as they were logged, as a file: what the proof is about."""
    found = await _proved(asked)
    return _file(found.entry.encode(), "application/octet-stream", f"{found.replica}-{found.index}.json")


async def take(asked: Asked) -> Response:
    """Export a range, as a file."""
    given = await fields(asked.request)
    wanted = msgspec.convert(given, api.Range, strict=False)
    response = await api.take(replace(asked, body=wanted))
    return _file(bytes(response.body), "application/x-ndjson", f"{wanted.replica}-{wanted.start}.jsonl")


async def _proved(asked: Asked) -> api.Proved:
    response = await api.one(asked)
    return msgspec.json.decode(bytes(response.body), type=api.Proved)


def _file(data: bytes, media_type: str, name: str) -> Response:
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    if not safe:
        raise Refused(MALFORMED)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"', "Cache-Control": "no-store"}
    return Response(data, media_type=media_type, headers=headers)
