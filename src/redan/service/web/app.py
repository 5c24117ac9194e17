"""The table of routes as a Starlette application: who asks, whether they may, what is recorded, what they are told.

Every route goes through `_Route.answer`, so that none can forget a step; a path that is in no row is refused and
recorded like any other denial.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from redan.core.errors import EvidenceError
from redan.core.settings import age_s
from redan.service.audit.act import Act
from redan.service.console.refused import reads_pages, refusal_page
from redan.service.gateway.refusal import (
    FAILED,
    FORBIDDEN,
    NOT_FOUND,
    STEP_UP,
    UNAUDITED,
    UNKNOWN,
    WRONG_METHOD,
    Refusal,
)
from redan.service.identity.authority import account_of, bound
from redan.service.web.endpoint import Asked, Endpoint
from redan.service.web.errors import Refused, refusal_of, response_of
from redan.service.web.forms import form
from redan.service.web.headers import protect
from redan.service.web.openapi import LONGEST_NAME
from redan.service.web.permission import denied
from redan.service.web.reading import decoded, read
from redan.service.web.session_cookie import CSRF_FIELD, CSRF_HEADER, csrf_fits, session_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from redan.service.identity.principal import Principal
    from redan.service.parts import Parts

LOGIN = "/login"
_SAFE = frozenset({"GET", "HEAD"})
_FORM = "application/x-www-form-urlencoded"


def web_app(parts: Parts, endpoints: Sequence[Endpoint]) -> Starlette:
    """Make the application.

    Args:
        parts: the service.
        endpoints: every row; a method and path stand in one row only.

    Raises:
        ValueError: two rows for the same method and path, or a parameter that Starlette would convert, before anybody
            is asked who they are and without a bound: mistakes of ours.
    """
    rows = [(row.method, row.path) for row in endpoints]
    if len(set(rows)) != len(rows):
        raise ValueError(f"two rows for {next(row for row in rows if rows.count(row) > 1)}")
    converted = [row.path for row in endpoints if ":" in row.path]
    if converted:
        raise ValueError(f"{converted[0]} has a parameter with a type; let its handler read it")
    guarded = _Guarded(parts)
    routes = [
        Route(row.path, guarded.handler(row), methods=[row.method], name=f"{row.method} {row.path}")
        for row in endpoints
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={404: guarded.no_route, 405: guarded.no_method, Exception: guarded.failed},
    )
    app.router.redirect_slashes = False
    return app


class _Guarded:
    """What every row shares."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._https = bool(parts.settings.serve.tls.certificate) or parts.settings.identity.origin.startswith("https:")
        self._step_up_s = float(age_s(parts.settings.identity.step_up) or 0)
        self._depth = parts.settings.serve.limits.json_depth

    def handler(self, row: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Return what Starlette calls."""

        async def answer(request: Request) -> Response:
            return await self._answer(row, request)

        return answer

    async def no_route(self, request: Request, error: Exception) -> Response:
        """Refuse an address that no row names."""
        return await self._refused(None, request, None, NOT_FOUND, time.perf_counter())

    async def no_method(self, request: Request, error: Exception) -> Response:
        """Refuse a method that no row of the address names, and say which do."""
        response = await self._refused(None, request, None, WRONG_METHOD, time.perf_counter())
        if isinstance(error, HTTPException) and error.headers:
            response.headers["Allow"] = error.headers.get("Allow", "")
        return response

    async def failed(self, request: Request, error: Exception) -> Response:
        """Refuse what broke outside of every row: a mistake of ours, whose traceback the server's log gets."""
        return await self._refused(None, request, None, FAILED, time.perf_counter())

    async def _answer(self, row: Endpoint, request: Request) -> Response:
        began = time.perf_counter()
        principal: Principal | None = None
        note: dict[str, object] = {}
        try:
            principal, secret = await self._who(request)
            refusal = await self._permission(row, request, principal, secret)
            if refusal is None and self._would_be_unrecorded(row):
                refusal = UNAUDITED
            if refusal is None:
                body = await self._body(row, request, secret)
                asked = Asked(request=request, parts=self._parts, principal=principal, body=body, note=note)
                response = await row.handler(asked)
                return await self._allowed(row, request, principal, response, note, began)
        except Exception as error:  # noqa: BLE001  # every failure becomes a refusal that tells nothing, and is recorded
            refusal = refusal_of(error)
        return await self._refused(row, request, principal, refusal, began, note)

    async def _who(self, request: Request) -> tuple[Principal | None, str]:
        """Return who asks and, unless a header proved that, the session's secret.

        A header wins over a cookie, two headers are none; a cookie beside a header that proves nothing lets nobody in,
        and what it could be used for still needs the CSRF token.
        """
        authority, addr = self._parts.authority, address(request)
        secret = session_of(request, https=self._https)
        headers = request.headers.getlist("authorization")
        if not headers:
            return (await authority.from_session(secret, addr) if secret else None), secret
        principal = None
        if len(headers) == 1:
            header = headers[0].encode("latin-1")
            principal = authority.authenticate(header) or await authority.recognise(header, addr)
        return principal, "" if principal is not None else secret

    async def _permission(
        self, row: Endpoint, request: Request, principal: Principal | None, secret: str
    ) -> Refusal | None:
        model = str(request.path_params.get(row.model, "")) if row.model else ""
        refusal = denied(
            row,
            principal,
            model=model,
            now_s=time.time(),
            step_up_s=self._step_up_s,
            confirmed=False,
        )
        if refusal is STEP_UP and principal is not None and (token := request.headers.get("redan-confirmation")):
            resource = bound(request.url.path, sha256(await read(request)).hexdigest())
            if await self._parts.authority.confirmed(token, principal, row.action or "", resource):
                refusal = None
        if refusal is None and principal is not None:
            refusal = self._parts.limiter.take(principal.id, 0)
        if refusal is None and self._needs_csrf(row, request, secret) and not await _csrf(request, secret):
            refusal = FORBIDDEN
        return refusal

    def _needs_csrf(self, row: Endpoint, request: Request, secret: str) -> bool:
        return bool(secret) and row.csrf and request.method not in _SAFE

    def _would_be_unrecorded(self, row: Endpoint) -> bool:
        return row.audited and row.method not in _SAFE and not self._parts.auditor.healthy()

    async def _body(self, row: Endpoint, request: Request, secret: str) -> Any:
        if any(len(value) > LONGEST_NAME for value in request.path_params.values()):
            raise Refused(NOT_FOUND)
        if row.takes is None:
            return None
        return decoded(row, request.headers.get("content-type", ""), await read(request), self._depth)

    async def _allowed(
        self,
        row: Endpoint,
        request: Request,
        principal: Principal | None,
        response: Response,
        note: dict[str, object],
        began: float,
    ) -> Response:
        if row.audited and (row.method not in _SAFE or note):
            act = self._act(row, request, principal, began, status=response.status_code, ok=True, note=note)
            try:
                await self._record(act)
            except EvidenceError as error:
                # it was done and cannot be recorded: the caller must not take it for done in order
                refusal_of(error)
                return protect(response_of(UNAUDITED), https=self._https)
        return protect(response, https=self._https)

    async def _refused(
        self,
        row: Endpoint | None,
        request: Request,
        principal: Principal | None,
        refusal: Refusal,
        began: float,
        note: dict[str, object] | None = None,
    ) -> Response:
        parts = self._parts
        parts.recorder.refused(row.path if row else "-", refusal)
        act = self._act(row, request, principal, began, status=refusal.status, ok=False, note=note or {})
        act = _with_reason(act, refusal)
        parts.watching.denied(act)
        try:
            await self._record(act)
        except EvidenceError as error:
            refusal_of(error)
        if row is not None and row.kind == "page" and refusal in (UNKNOWN, STEP_UP) and request.method in _SAFE:
            where = quote(request.url.path, safe="/")
            step = "/second" if refusal is STEP_UP else ""
            return protect(RedirectResponse(f"{LOGIN}{step}?next={where}", status_code=303), https=self._https)
        if reads_pages(request):
            return protect(refusal_page(request, parts, principal, refusal), https=self._https)
        return protect(response_of(refusal), https=self._https)

    async def _record(self, act: Act) -> None:
        waiting = self._parts.auditor.commit([act])
        if waiting is not None:
            await waiting

    def _act(
        self,
        row: Endpoint | None,
        request: Request,
        principal: Principal | None,
        began: float,
        *,
        status: int,
        ok: bool,
        note: dict[str, object],
    ) -> Act:
        model = str(request.path_params.get(row.model, "")) if row and row.model else ""
        return Act(
            t_us=time.time_ns() // 1000,
            who=principal.id if principal else "-",
            cred=principal.credential if principal else account_of(_authorization(request)),
            act=(row.action or f"{row.method} {row.path}") if row else "-",
            model=model,
            ok=ok,
            status=status,
            us=int((time.perf_counter() - began) * 1e6),
            id=request_id(request),
            addr=address(request),
            by=self._parts.replica,
            more={"path": f"{request.method} {request.url.path}"[:512], **note},
        )


def _authorization(request: Request) -> bytes:
    return request.headers.get("authorization", "").encode("latin-1")


def _with_reason(act: Act, refusal: Refusal) -> Act:
    import msgspec

    return msgspec.structs.replace(act, why=refusal.why)


async def _csrf(request: Request, secret: str) -> bool:
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(_FORM):
        given = (await form(request)).get(CSRF_FIELD, "")
    return csrf_fits(secret, given)


def address(request: Request) -> str:
    """Return the network address of who asks."""
    return request.client.host if request.client else ""


def request_id(request: Request) -> str:
    """Return the request's identifier: made once, kept for the handler."""
    found = getattr(request.state, "id", "")
    if not found:
        found = request.state.id = token_hex(8)
    return str(found)
