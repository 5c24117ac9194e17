"""The page of access reviews: who has what, since when, whether it is used, and what a reviewer decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.service.console.rendering import render
from redan.service.identity.answering import roles_of
from redan.service.identity.review import Line, review
from redan.service.web.answers import read

if TYPE_CHECKING:
    from starlette.responses import Response

    from redan.service.web.endpoint import Asked

PAGE_ROWS = 100


async def show(asked: Asked) -> Response:
    """Show who has what; those that somebody must decide about first."""
    settings, roles = asked.parts.settings, roles_of(asked)
    lines = await read(asked, lambda connection: review(connection, settings, roles))
    given = asked.request.query_params
    which, who = given.get("show", ""), given.get("who", "").strip()[:256]
    chosen = [line for line in lines if _fits(line, which) and who in f"{line.subject} {line.title} {line.role}"]
    chosen.sort(key=lambda line: (not line.open, line.subject, line.role, line.model))
    start = _whole(given.get("from", "0"))
    return render(
        asked,
        "console_access.html",
        lines=chosen[start : start + PAGE_ROWS],
        start=start,
        rows=PAGE_ROWS,
        found=len(chosen),
        which=which,
        who=who,
        undecided=sum(line.open for line in lines),
        total=len(lines),
        stale=settings.identity.stale,
    )


def _fits(line: Line, which: str) -> bool:
    return which == "" or (which == "open" and line.open) or (which == "people" and line.subject.startswith("user:"))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
