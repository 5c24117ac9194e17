"""One row of the table of routes: what is asked, what it needs, who answers. What has no row is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from redan.service.identity.principal import Principal
    from redan.service.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a handler is given.

    Attributes:
        request: Starlette's.
        parts: the service.
        principal: who asks; None at public endpoints only.
        body: the decoded ``takes`` of the endpoint, or None.
        note: facts that the handler adds to the audit record of this request.
    """

    request: Request
    parts: Parts
    principal: Principal | None
    body: Any
    note: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A route.

    Attributes:
        method: HTTP method.
        path: Starlette's form, such as ``/v1/models/{name}/rollback``.
        action: what must be allowed (`redan.service.identity.actions`); None: anybody may ask, on purpose.
        handler: answers; raises `redan.service.web.errors.Refused` or a RedanError.
        summary: one line, for OpenAPI.
        model: path parameter that names the model, where permission is per model.
        takes: msgspec type of the JSON body; None: no body.
        gives: msgspec type of the JSON answer, for OpenAPI; None: not JSON.
        kind: ``page`` redirects who is not logged in to the login; ``api`` answers 401.
        csrf: whether a session's request must carry its CSRF token; every method that changes something does.
        audited: whether success is recorded too (denials always are); reading pages is not.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    action: str | None
    handler: Callable[[Asked], Awaitable[Response]]
    summary: str
    model: str = ""
    takes: Any = None
    gives: Any = None
    kind: Literal["api", "page"] = "api"
    csrf: bool = True
    audited: bool = True


Handler = Callable[[Asked], Awaitable["Response"]]


def get(path: str, action: str | None, handler: Handler, summary: str, **more: Any) -> Endpoint:
    """Return a row of the table that reads; ``more`` are further fields of `Endpoint`."""
    return Endpoint(method="GET", path=path, action=action, handler=handler, summary=summary, **more)


def post(path: str, action: str | None, handler: Handler, summary: str, **more: Any) -> Endpoint:
    """Return a row of the table that does something; ``more`` are further fields of `Endpoint`."""
    return Endpoint(method="POST", path=path, action=action, handler=handler, summary=summary, **more)
