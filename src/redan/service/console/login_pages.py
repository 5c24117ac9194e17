"""The pages of login and of one's own account, as HTML that works without script; escaping is on everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

_HERE = Path(__file__).resolve().parent
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_PARTS = {"login.css": ("console.css", "login.css")}


def page(template: str, /, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page.

    Args:
        template: its file.
        status: HTTP status.
        facts: what the template shows; every one that it names must be there.
    """
    words = {"error": "", "said": "", **facts}
    return HTMLResponse(_environment().get_template(template).render(words), status_code=status)


@cache
def static(name: str) -> Response:
    """Return a file that never changes while the server runs; browsers may keep it for an hour."""
    data = b"".join((_HERE / "static" / part).read_bytes() for part in _PARTS.get(name, (name,)))
    return Response(data, media_type=_TYPES[Path(name).suffix], headers={"Cache-Control": "public, max-age=3600"})


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["day"] = lambda at_s: datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
    made.filters["moment"] = lambda at_s: datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return made
