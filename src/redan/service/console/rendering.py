"""Pages as HTML that works without script; escaping is on everywhere, and what a template names must be there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from redan.core.settings import age_s
from redan.evidence.store.clear import now_us
from redan.service.console import words
from redan.service.identity.actions import ACTIONS
from redan.service.identity.freshness import fresh
from redan.service.web.session_cookie import csrf_token, session_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from redan.core.settings import Settings
    from redan.service.identity.principal import Principal
    from redan.service.parts import Parts
    from redan.service.web.endpoint import Asked

HOME = "/console"
_HERE = Path(__file__).resolve().parent
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_PARTS = {"login.css": ("console.css", "login.css")}
"""Files that are sent as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An entry of the navigation: shown to whoever may do its action at all."""

    path: str
    title: str
    action: str


PLACES = (
    Place(path=HOME, title="Overview", action="identity.self"),
    Place(path="/console/live", title="Live", action="monitors.read"),
    Place(path="/console/incidents", title="Incidents", action="incidents.read"),
    Place(path="/console/clients", title="Clients", action="incidents.read"),
    Place(path="/console/audit", title="Audit", action="audit.read"),
    Place(path="/console/access", title="Access", action="identity.read"),
    Place(path="/console/registry", title="Registry", action="registry.read"),
    Place(path="/console/reports", title="Reports", action="reports.read"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page, as templates see it.

    Attributes:
        principal: who; None: nobody known.
        fresh: whether a second factor was shown lately enough for what is dangerous.
    """

    principal: Principal | None
    fresh: bool

    @property
    def name(self) -> str:
        """What people call them."""
        return self.principal.id.partition(":")[2] if self.principal else ""

    def may(self, action: str, model: str = "") -> bool:
        """Return whether they may do something, to one model or to all."""
        return self.principal is not None and self.principal.may(action, model)

    def sees(self, action: str) -> bool:
        """Return whether they may do something to at least one model."""
        return self.principal is not None and any(granted == action for granted, _ in self.principal.grants)

    def must_confirm(self, action: str) -> bool:
        """Return whether a second factor must be shown before."""
        return ACTIONS[action].dangerous and not self.fresh


def viewer_of(principal: Principal | None, parts: Parts) -> Viewer:
    """Return who looks, with what they may do now."""
    step_up_s = float(age_s(parts.settings.identity.step_up) or 0)
    shown = principal is not None and fresh(
        principal.credential, principal.mfa_s, within_s=step_up_s, now_s=time.time()
    )
    return Viewer(principal=principal, fresh=shown)


def render(asked: Asked, template: str, /, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page of the console.

    Args:
        asked: the request.
        template: its file.
        status: HTTP status.
        facts: what the template shows beside what every page does.
    """
    return page(asked.request, asked.parts, asked.principal, template, status=status, **facts)


def page(
    request: Request, parts: Parts, principal: Principal | None, template: str, /, *, status: int = 200, **facts: Any
) -> HTMLResponse:
    """Return a page for whoever asks, known or not."""
    secret = session_of(request, https=is_https(parts.settings))
    about = {
        **frame(request, parts, principal),
        "confirm": f"/login/second?next={quote(request.url.path, safe='/')}",
        "csrf": csrf_token(secret) if secret else "",
        "done": request.query_params.get("done", "")[:40],
        "now": now_us(),
    }
    return HTMLResponse(fragment(template, **about, **facts), status_code=status)


def frame(request: Request, parts: Parts, principal: Principal | None) -> dict[str, Any]:
    """Return what the head of every page shows: who looks, and where they may go."""
    viewer = viewer_of(principal, parts)
    return {
        "site": parts.settings.identity.issuer,
        "viewer": viewer,
        "places": [place for place in PLACES if viewer.sees(place.action)],
        "path": request.url.path,
    }


def is_https(settings: Settings) -> bool:
    """Return whether browsers reach this gateway over HTTPS, itself or through a proxy."""
    return bool(settings.serve.tls.certificate) or settings.identity.origin.startswith("https:")


def fragment(template: str, /, **facts: Any) -> str:
    """Return a template as text, with nothing around it."""
    return environment().get_template(template).render(facts)


@cache
def static(name: str) -> Response:
    """Return a file that never changes while the server runs; browsers may keep it for an hour."""
    data = b"".join((_HERE / "static" / part).read_bytes() for part in _PARTS.get(name, (name,)))
    return Response(data, media_type=_TYPES[Path(name).suffix], headers={"Cache-Control": "public, max-age=3600"})


@cache
def stamp(name: str) -> str:
    """Return a few digits of a file's digest: the address of another release's file is another one."""
    return sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:10]


@cache
def environment() -> Environment:
    """Return what renders templates."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "day": words.day,
        "moment": lambda at_s: words.moment(int(at_s * 1e6)),
        "moment_us": words.moment,
        "second_us": words.to_the_second,
        "machine_us": words.machine_time,
        "relative": words.relative,
        "count": words.count,
        "number": words.number,
        "seconds": words.seconds,
        "short": words.short,
    }
    made.filters.update(filters)
    made.globals |= {"stamp": stamp, "infinite": math.inf}
    return made
