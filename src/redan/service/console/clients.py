"""The page of clients that are held back: who, why, until when; to hold one back, and to let one go."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from sqlalchemy import select
from starlette.responses import RedirectResponse, Response

from redan.core.errors import UnknownName, UsageError
from redan.service.console.forms import fields
from redan.service.console.rendering import render
from redan.service.identity import tables as identity
from redan.service.incidents import tables

if TYPE_CHECKING:
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked

MOST_SHOWN = 500
MOST_HOURS = 24 * 90
_HERE = "/console/clients"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Slowed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A client to hold back: to a rate, or altogether."""

    client: Name
    how: Literal["throttle", "suspend"] = "throttle"
    rate_per_s: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 0.1
    hours: Annotated[float, msgspec.Meta(gt=0, le=MOST_HOURS)] = 24.0


class Released(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A client to let go."""

    client: Name


async def show(asked: Asked) -> Response:
    """Show who is held back."""
    slow = asked.parts.limiter.throttled()
    holds = await asyncio.to_thread(_holds, asked.parts)
    rows = sorted(slow.items(), key=lambda item: (item[1][0] > 0, item[0]))
    return render(
        asked,
        "console_clients.html",
        clients=[
            {"id": client, "rate": rate, "until_us": int(until_s * 1e6), "incidents": sorted(holds.get(client, ()))}
            for client, (rate, until_s) in rows[:MOST_SHOWN]
        ],
        more=max(0, len(rows) - MOST_SHOWN),
        guards=asked.parts.settings.serve.guards,
    )


async def slow(asked: Asked) -> Response:
    """Hold a client back."""
    wanted = msgspec.convert(await fields(asked.request), Slowed, strict=False)
    rate = 0.0 if wanted.how == "suspend" else wanted.rate_per_s
    asked.note.update(did="suspended" if not rate else "throttled", client=wanted.client, rate_per_s=rate)
    if not await asyncio.to_thread(_is_known, asked.parts, wanted.client):
        raise UnknownName(f"the directory knows no {wanted.client!r}", hint="client:NAME or user:NAME")
    until_s = time.time() + wanted.hours * 3600
    await asked.parts.limiter.throttle(wanted.client, rate_per_s=rate, until_s=until_s)
    return RedirectResponse(f"{_HERE}?done=slowed", status_code=303)


async def release(asked: Asked) -> Response:
    """Let a client go that no incident holds."""
    client = msgspec.convert(await fields(asked.request), Released).client
    asked.note.update(did="released", client=client)
    holding = (await asyncio.to_thread(_holds, asked.parts)).get(client)
    if holding:
        raise UsageError(f"incident {min(holding)} holds {client}", hint="undo its step on the incident's page")
    await asked.parts.limiter.throttle(client, rate_per_s=None, until_s=time.time())
    return RedirectResponse(f"{_HERE}?done=released", status_code=303)


def _holds(parts: Parts) -> dict[str, set[int]]:
    with parts.database.reading() as connection:
        held: dict[str, set[int]] = {}
        for client, incident in connection.execute(select(tables.holds.c.client, tables.holds.c.incident)):
            held.setdefault(client, set()).add(int(incident))
        return held


def _is_known(parts: Parts, client: str) -> bool:
    with parts.database.reading() as connection:
        query = select(identity.subjects.c.id).where(identity.subjects.c.id == client)
        return connection.execute(query).first() is not None
