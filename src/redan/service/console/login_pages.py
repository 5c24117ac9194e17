"""The pages of login and of one's own account: what they show, in the console's own frame and with its escaping."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse

from redan.service.console.rendering import fragment


def page(template: str, /, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page.

    Args:
        template: its file.
        status: HTTP status.
        facts: what the template shows; every one that it names must be there.
    """
    return HTMLResponse(fragment(template, **{"error": "", "said": "", **facts}), status_code=status)
