"""The page of clients that are held back: who, why, until when; to hold one back, and to let one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from starlette.responses import RedirectResponse, Response

from redan.service.console.forms import fields
from redan.service.console.rendering import render
from redan.service.guards.endpoints import MOST_HOURS, Slowing, hold_back, let_go, slowed

if TYPE_CHECKING:
    from redan.service.web.endpoint import Asked

MOST_SHOWN = 500
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
    found = await slowed(asked)
    return render(
        asked,
        "console_clients.html",
        clients=[
            {"id": each.client, "rate": each.rate_per_s, "until_us": each.until_us, "incidents": each.incidents}
            for each in found[:MOST_SHOWN]
        ],
        more=max(0, len(found) - MOST_SHOWN),
        guards=asked.parts.settings.serve.guards,
    )


async def slow(asked: Asked) -> Response:
    """Hold a client back."""
    wanted = msgspec.convert(await fields(asked.request), Slowed, strict=False)
    rate = 0.0 if wanted.how == "suspend" else wanted.rate_per_s
    await hold_back(asked, wanted.client, Slowing(rate_per_s=rate, hours=wanted.hours))
    return RedirectResponse(f"{_HERE}?done=slowed", status_code=303)


async def release(asked: Asked) -> Response:
    """Let a client go that no incident holds."""
    await let_go(asked, msgspec.convert(await fields(asked.request), Released).client)
    return RedirectResponse(f"{_HERE}?done=released", status_code=303)
