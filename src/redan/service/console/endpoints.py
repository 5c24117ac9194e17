"""The rows of the console in the table of routes: pages that only read, and forms that do what the API does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from redan.service.audit.endpoints import ENDPOINTS as AUDIT
from redan.service.console import (
    access,
    audit,
    clients,
    incidents,
    live,
    models,
    overview,
    registry,
    rendering,
    reports,
)
from redan.service.console.forms import by_form
from redan.service.identity.endpoints import ENDPOINTS as IDENTITY
from redan.service.incidents.endpoints import ENDPOINTS as INCIDENTS
from redan.service.models.endpoints import ENDPOINTS as MODELS
from redan.service.registry.endpoints import ENDPOINTS as REGISTRY
from redan.service.web.endpoint import Asked, Endpoint

if TYPE_CHECKING:
    from starlette.responses import Response

_Handler = Callable[[Asked], Awaitable["Response"]]


async def _home(asked: Asked) -> Response:
    return RedirectResponse("/console", status_code=303)


async def _style(asked: Asked) -> Response:
    return rendering.static("console.css")


async def _script(asked: Asked) -> Response:
    return rendering.static("console.js")


def _page(
    path: str, action: str, handler: _Handler, summary: str, *, model: str = "", audited: bool = False
) -> Endpoint:
    return Endpoint(
        method="GET", path=path, action=action, handler=handler, summary=summary, model=model, kind="page",
        audited=audited,
    )  # fmt: skip


def _file(path: str, handler: _Handler, summary: str) -> Endpoint:
    return Endpoint(method="GET", path=path, action=None, handler=handler, summary=summary, kind="page", audited=False)


def _act(path: str, action: str, handler: _Handler, summary: str) -> Endpoint:
    return Endpoint(method="POST", path=path, action=action, handler=handler, summary=summary, kind="page")


_MODEL, _INCIDENT = "/console/models/{name}", "/console/incidents/{number}"
_RECORD, _REGISTERED = "/console/audit/{replica}/{index}", "/console/registry/{name}"
_OF_INCIDENT = (
    ("notes", "noted"),
    ("breach", "breach"),
    ("steps", "ordered"),
    ("contain", "ordered"),
    ("contained", "contained"),
    ("approve", "approved"),
    ("release", "undoing"),
    ("close", "closed"),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    _file("/console/style.css", _style, "style of the console"),
    _file("/console/script.js", _script, "script of the console"),
    _file("/", _home, "the way to the console"),
    _page("/console", "identity.self", overview.show, "the console's first page"),
    _page(_MODEL, "models.read", models.show, "page of a model", model="name"),
    _page(f"{_MODEL}/versions/{{version}}", "models.read", models.evidence, "page of a version", model="name"),
    _page("/console/live", "monitors.read", live.show, "page of live traffic"),
    _page("/console/live/events", "monitors.read", live.events, "live traffic as server-sent events"),
    _page("/console/incidents", "incidents.read", incidents.listing, "page of incidents"),
    _page(_INCIDENT, "incidents.read", incidents.one, "page of an incident"),
    _page(f"{_INCIDENT}/postmortem", "incidents.read", incidents.postmortem, "page of a post-mortem"),
    _page(f"{_INCIDENT}/notification", "incidents.read", incidents.notification, "page of a notification's draft"),
    _page("/console/clients", "incidents.read", clients.show, "page of clients that are held back"),
    _page("/console/audit", "audit.read", audit.searching, "search the audit log", audited=True),
    _page(_RECORD, "audit.read", audit.record, "page of a record", audited=True),
    _page(f"{_RECORD}/proof", "audit.read", audit.proof, "proof of a record, as a file", audited=True),
    _page(f"{_RECORD}/entry", "audit.read", audit.entry, "bytes of a record, as a file", audited=True),
    _page("/console/access", "identity.read", access.show, "page of the access review"),
    _page("/console/registry", "registry.read", registry.show, "page of the registry"),
    _page(_REGISTERED, "registry.read", registry.one, "page of a model in the registry"),
    _page("/console/reports", "reports.read", reports.listing, "page of reports"),
    _page("/console/reports/{where}/{id}", "reports.read", reports.one, "a report"),
    by_form(MODELS, "/v1/models/reload", "/console/reload", "reloaded"),
    by_form(MODELS, "/v1/models/{name}/promote", f"{_MODEL}/promote", "promoted"),
    by_form(MODELS, "/v1/models/{name}/rollback", f"{_MODEL}/rollback", "rolled-back"),
    by_form(MODELS, "/v1/models/{name}/quarantine", f"{_MODEL}/quarantine", "quarantined"),
    by_form(INCIDENTS, "/v1/incidents", "/console/incidents/open", "opened"),
    *(by_form(INCIDENTS, f"/v1/incidents/{{number}}/{verb}", f"{_INCIDENT}/{verb}", done)
      for verb, done in _OF_INCIDENT),
    by_form(IDENTITY, "/v1/identity/review", "/console/access/decide", "kept"),
    by_form(REGISTRY, "/v1/registry/{name}/versions/{version}/promote", f"{_REGISTERED}/versions/{{version}}/promote",
            "promoted"),
    by_form(REGISTRY, "/v1/registry/{name}/versions/{version}/canary", f"{_REGISTERED}/versions/{{version}}/canary",
            "canary"),
    by_form(REGISTRY, "/v1/registry/{name}/rollback", f"{_REGISTERED}/rollback", "rolled-back"),
    _act("/console/clients/slow", "clients.throttle", clients.slow, "hold a client back, by form"),
    _act("/console/clients/release", "clients.throttle", clients.release, "let a client go, by form"),
    _act("/console/audit/export", next(row.action for row in AUDIT if row.path == "/v1/audit/export") or "",
         audit.take, "take a range of records away, by form"),
)  # fmt: skip
"""Rows of the console."""
