"""Forms of the console: each does what a row of the API does, with the same permission, body and audit record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import RedirectResponse, Response

from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.forms import form
from redan.service.web.session_cookie import CSRF_FIELD

if TYPE_CHECKING:
    from starlette.requests import Request

_VERB = re.compile(r"(/versions/[^/]+)?/[^/]+\Z")


def page_of(path: str) -> str:
    """Return the page that a form stands on: its address is the page's with a verb at the end."""
    return _VERB.sub("", path) or "/console"


async def fields(request: Request) -> dict[str, str]:
    """Read a form's fields; those left empty and the token against cross-site requests are not among them.

    Raises:
        Refused: it is too large, or is none.
    """
    found = await form(request)
    # browsers send CRLF for the lines of a text
    return {name: value.replace("\r\n", "\n") for name, value in found.items() if value and name != CSRF_FIELD}


def by_form(rows: Sequence[Endpoint], api: str, path: str, done: str) -> Endpoint:
    """Return a row of the console that does what a row of the API does.

    Args:
        rows: of the API.
        api: address of its POST row.
        path: where the form is sent: a page's address, and a verb.
        done: word that the page shows what was done by (``pages/console_done.html``).
    """
    row = next(row for row in rows if row.path == api and row.method == "POST")

    async def answer(asked: Asked) -> Response:
        given = await fields(asked.request)
        body: Any = None
        if row.takes is not None:
            body = msgspec.convert(given, row.takes, strict=False)
        await row.handler(replace(asked, body=body))
        return RedirectResponse(f"{page_of(asked.request.url.path)}?done={done}", status_code=303)

    return Endpoint(
        method="POST",
        path=path,
        action=row.action,
        handler=answer,
        summary=f"{row.summary}, by form",
        model=row.model,
        kind="page",
    )
