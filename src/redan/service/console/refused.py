"""What a browser is shown when something is refused: the same sentence that programs get, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from redan.service.console.forms import page_of
from redan.service.console.rendering import HOME, page
from redan.service.gateway.refusal import FAILED, STEP_UP, UNKNOWN, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from redan.service.identity.principal import Principal
    from redan.service.parts import Parts

_FAILED = "this failed at the gateway, which wrote down why; try again, or tell who runs it"
_TITLES = {401: "Log in first", 403: "Not allowed", 404: "Not here", 405: "Not here", 409: "Not done"}


def reads_pages(request: Request) -> bool:
    """Return whether whoever asks is a browser that shows a page; programs do not ask for HTML."""
    return "text/html" in request.headers.get("accept", "")


def refusal_page(request: Request, parts: Parts, principal: Principal | None, refusal: Refusal) -> Response:
    """Return a refusal as a page."""
    path = request.url.path
    back = page_of(path) if request.method == "POST" and path.startswith(f"{HOME}/") else HOME
    way, words = back, "Back"
    if refusal.why == UNKNOWN.why:
        way, words = f"/login?next={quote(back, safe='/')}", "Log in"
    elif refusal.why == STEP_UP.why:
        way, words = f"/login/second?next={quote(back, safe='/')}", "Confirm that it is you"
    response = page(
        request,
        parts,
        principal,
        "console_refused.html",
        status=refusal.status,
        heading=_TITLES.get(refusal.status, "This did not work"),
        say=_FAILED if refusal.say == FAILED.say else refusal.say,
        way=way,
        words=words,
    )
    if refusal.retry_s:
        response.headers["Retry-After"] = str(refusal.retry_s)
    return response
