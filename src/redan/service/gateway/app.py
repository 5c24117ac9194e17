"""The data path as an ASGI application: who asks, whether they may, what they ask, and the answer.

Everything that is no prediction goes to the ``fallback`` application, unless its path could be read in two ways.
Whether a model exists is told only to those who may ask it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from math import inf
from secrets import token_hex
from time import perf_counter
from typing import TYPE_CHECKING, Any

from redan import __version__
from redan.core.errors import EvidenceError
from redan.service.gateway import native, v2
from redan.service.gateway.acts import denial
from redan.service.gateway.answer import CLOSE, JSON, refusal_body, refusal_headers
from redan.service.gateway.asked import Asked, read_body
from redan.service.gateway.batching import Batcher, Chain, Compute
from redan.service.gateway.call import Batch, Call
from redan.service.gateway.computing import Inline
from redan.service.gateway.paths import MOST_REMEMBERED, Address, address, is_odd
from redan.service.gateway.prices import Prices
from redan.service.gateway.refusal import (
    DRAINING,
    FORBIDDEN,
    NOT_FOUND,
    QUARANTINED,
    UNAUDITED,
    UNKNOWN,
    WRONG_METHOD,
    Refusal,
)
from redan.service.gateway.streaming import stream
from redan.service.identity.authority import account_of
from redan.service.identity.principal import EVERY_MODEL, Principal
from redan.service.web.errors import Refused, refusal_of

if TYPE_CHECKING:
    from redan.service.models.served import Served
    from redan.service.parts import Parts

App = Callable[[Any, Any, Any], Awaitable[None]]
ANYBODY = Principal(
    id="client:anybody",
    kind="program",
    roles=frozenset(),
    grants=frozenset({("predict", EVERY_MODEL)}),
    credential="",
    expires_s=inf,
)
"""Who asks where ``[serve.guards] authentication`` is off: a laboratory."""
_NOWHERE = Address("server")
_MAY = {"infer": ("predict",), "predict": ("predict",), "metadata": ("predict", "models.read")}


class DataPlane:
    """Answers requests for predictions.

    Args:
        parts: the service.
        chain: the guards of a version, in order (`redan.service.guards.chain`).
        fallback: the ASGI application for everything else.
        compute: asks a model; in the server's own process when left out.
        shadow: takes every answered batch.

    Attributes:
        draining: whether the server is about to stop: new requests are refused.
        batcher: what puts calls together.
        prices: what guards cost.
    """

    def __init__(
        self,
        parts: Parts,
        chain: Chain,
        *,
        fallback: App | None = None,
        compute: Compute | None = None,
        shadow: Callable[[Batch], None] = lambda batch: None,
    ) -> None:
        serve = parts.settings.serve
        self.parts, self.draining, self.prices = parts, False, Prices()
        self.batcher = Batcher(
            parts, chain, compute or Inline(serve.batching.rows), self.prices, shadow, serve.workers if compute else 0
        )
        guards, rows = serve.guards, serve.batching.rows
        self.chunk_rows = min(rows, max(1, guards.rows_burst)) if guards.rows_per_s else rows
        self.limits = serve.limits
        self._fallback = fallback
        self._known = serve.guards.authentication
        self._addresses: dict[bytes, Address] = {}
        self._ids, self._prefix = count(1), token_hex(6)
        self._tasks: set[asyncio.Future[Refusal]] = set()

    async def start(self) -> None:
        """Make the guards of everything that is served, so that what does not fit is told now and not to a client.

        Raises:
            RedanError: settings of guards do not fit a model, or a file of theirs cannot be read.
        """
        for served, _ in self.parts.models.all():
            await asyncio.to_thread(self.batcher.guards, served)

    async def stop(self) -> None:
        """Refuse what is new; return when everything under way is answered and recorded."""
        self.draining = True
        await self.batcher.stop()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def drain(self) -> None:
        """Refuse new requests from now on."""
        self.draining = True

    def is_ready(self) -> bool:
        """Return whether requests would be answered: a model is there, decisions can be recorded, nothing stops."""
        return not self.draining and self.parts.auditor.healthy() and bool(self.parts.models.all())

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return what metrics show of the queue."""
        yield "redan_queue_requests", (), self.batcher.waiting

    def refused_at_door(self, refusal: Refusal, addr: str) -> str:
        """Count and record a connection that is ended before its request was understood; return the record's id."""
        self.parts.recorder.refused("http", refusal)
        asked = _stranger(self._id(), addr)
        task = asyncio.ensure_future(self._record(asked, refusal, b""))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return asked.id

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        raw_path = scope["raw_path"]
        where = self._addresses.get(raw_path) or self._address(raw_path)
        if where is None and not self.draining and self._fallback is not None and not is_odd(raw_path):
            await self._fallback(*_identified(self._id(), scope, receive, send))
            return
        asked = Asked(scope, where or _NOWHERE, self._id(), perf_counter())
        try:
            if self.draining:
                raise Refused(DRAINING)
            if where is None:
                raise Refused(NOT_FOUND)
            if scope["method"] != where.method:
                raise Refused(WRONG_METHOD)
            await self._answer(asked, where, receive, send)
        except Exception as error:  # noqa: BLE001  # every failure becomes a refusal that tells nothing, and is recorded
            refusal = await self.deny(asked, refusal_of(error))
            await self.send_refusal(asked, refusal, send)

    async def deny(self, asked: Asked, refusal: Refusal, body: bytes = b"") -> Refusal:
        """Count and record a denial; return what the client is to be told."""
        self.parts.recorder.refused(asked.address.what, refusal)
        return await self._record(asked, refusal, body)

    async def send_refusal(self, asked: Asked, refusal: Refusal, send: Any) -> None:
        """Tell a client why not."""
        headers = [*refusal_headers(refusal), (b"x-request-id", asked.id.encode())]
        if refusal is WRONG_METHOD:
            headers.append((b"allow", asked.address.method.encode()))
        if self.draining:
            headers.append(CLOSE)
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": refusal_body(refusal)})

    async def ask(self, call: Call, answered: asyncio.Future[None]) -> None:
        """Hand a call to the batcher and wait for its answer.

        Raises:
            Refused: it is not taken.
        """
        refusal = self.batcher.submit(call)
        if refusal is not None:
            raise Refused(refusal)
        await answered

    async def let_in(self, asked: Asked) -> Principal:
        """Return who asks, who may; what goes on for long asks again.

        Raises:
            Refused: nobody known, not any more, or they may not.
        """
        principal, where = await self._who(asked), asked.address
        asked.principal = principal
        if not any(principal.may(action, where.name) for action in _MAY.get(where.what, _MAY["metadata"])):
            raise Refused(FORBIDDEN)
        return principal

    def chosen(self, asked: Asked) -> Served:
        """Return which version answers.

        Raises:
            Refused: none does.
        """
        where, principal = asked.address, asked.principal
        assert principal is not None
        served = self.parts.models.choose(where.name, where.version, principal.id)
        if served is not None:
            return served
        roles = [
            role
            for one, role in self.parts.models.all()
            if one.settings.name == where.name and where.version in {"", one.settings.version}
        ]
        raise Refused(QUARANTINED if roles and set(roles) <= {"quarantined", "standby"} else NOT_FOUND)

    async def _answer(self, asked: Asked, where: Address, receive: Any, send: Any) -> None:
        if where.what in {"server", "server-live", "server-ready"}:
            await self._server(asked, send)
            return
        principal = await self.let_in(asked)
        if where.method == "GET":
            await self._about(asked, principal, send)
            return
        wrong = asked.wrong_form()
        if wrong is not None:
            raise Refused(wrong)
        served = self.chosen(asked)
        if asked.is_stream:
            await stream(self, asked, served, receive, send)
            return
        body = await read_body(receive)
        if body is not None:
            await self._predict(asked, where, principal, served, body, send)

    async def _who(self, asked: Asked) -> Principal:
        if not self._known:
            return ANYBODY
        header = asked.authorization
        if not header:
            raise Refused(UNKNOWN)
        principal = self.parts.authority.authenticate(header)
        if principal is None:
            principal = await self.parts.authority.recognise(header, asked.addr)
            if principal is None:
                raise Refused(UNKNOWN)
        return principal

    async def _predict(
        self, asked: Asked, where: Address, principal: Principal, served: Served, body: bytes, send: Any
    ) -> None:
        question: v2.Question | None = None
        refusal: Refusal | None = None
        x, write = None, native.write
        try:
            if where.what == "infer":
                question = v2.question(body, asked.json_bytes, served, self.limits.rows)
                x, write = question.x, question.write
            else:
                x = native.rows(body, served, self.limits.rows)
        except Refused as error:
            refusal = error.refusal
        # what cannot be decoded costs the client a request too
        refusal = self.parts.limiter.take(principal.id, 0 if x is None else len(x)) or refusal
        if refusal is None:
            answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            call = self.call(asked, principal, served, x, body, write, answered)
            refusal = self.batcher.submit(call)
        if refusal is not None:
            await self.send_refusal(asked, await self.deny(asked, refusal, body), send)
            return
        await answered
        if call.refusal is not None:
            await self.send_refusal(asked, call.refusal, send)
        elif not call.link.lost:
            await self._send(asked, call.reply, question, send)

    def call(
        self,
        asked: Asked,
        principal: Principal,
        served: Served,
        x: Any,
        body: bytes,
        write: Callable[[Call], bytes],
        answered: asyncio.Future[None],
    ) -> Call:
        """Return the call of a decoded request; ``answered`` is settled once it is answered."""
        call = Call(
            principal=principal,
            served=served,
            x=x,
            body=body,
            began_s=asked.began_s,
            id=asked.id,
            addr=asked.addr,
            write=write,
            done=lambda call: None if answered.done() else answered.set_result(None),
            link=asked.link,
        )
        tracing = self.parts.more.get("tracing")
        if tracing is not None:
            call.trace = tracing.begin(asked.traceparent)
        return call

    async def _send(self, asked: Asked, body: bytes, question: v2.Question | None, send: Any) -> None:
        headers = [JSON, (b"content-length", b"%d" % len(body)), (b"x-request-id", asked.id.encode())]
        if question is not None and question.is_binary:
            headers[0] = (b"content-type", b"application/octet-stream")
            headers.append((b"inference-header-content-length", b"%d" % question.json_bytes))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _server(self, asked: Asked, send: Any) -> None:
        what = asked.address.what
        if what == "server":
            await self._json(asked, v2.server_metadata(__version__), send)
        elif what == "server-live" or self.is_ready():
            await self._json(asked, b"{}", send)
        else:
            await self._json(asked, b"{}", send, 503)

    async def _about(self, asked: Asked, principal: Principal, send: Any) -> None:
        refusal = self.parts.limiter.take(principal.id, 0)
        if refusal is not None:
            raise Refused(refusal)
        served, where = self.chosen(asked), asked.address
        if where.what == "ready":
            await self._json(asked, v2.model_ready(served), send)
            return
        versions = [one.settings.version for one, _ in self.parts.models.all() if one.settings.name == where.name]
        await self._json(asked, v2.model_metadata(served, versions), send)

    async def _json(self, asked: Asked, body: bytes, send: Any, status: int = 200) -> None:
        headers = [JSON, (b"content-length", b"%d" % len(body)), (b"x-request-id", asked.id.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _record(self, asked: Asked, refusal: Refusal, body: bytes) -> Refusal:
        """Record a denial; a denial that cannot be recorded stays one, for another reason."""
        where = asked.address
        act = denial(
            refusal,
            principal=asked.principal,
            act="predict" if where.name else "-",
            model=f"{where.name}@{where.version}" if where.version else where.name,
            began_s=asked.began_s,
            id=asked.id,
            addr=asked.addr,
            replica=self.parts.replica,
            body=body,
            tried=account_of(asked.authorization) if asked.principal is None else "",
        )
        self.parts.watching.denied(act)
        try:
            waiting = self.parts.auditor.commit([act])
            if waiting is not None:
                await waiting
        except Exception as error:  # noqa: BLE001  # whatever the log did, a denial stays one
            if not isinstance(error, EvidenceError):
                refusal_of(error)
            return UNAUDITED
        return refusal

    def _address(self, raw_path: bytes) -> Address | None:
        found = address(raw_path)
        if found is not None and len(self._addresses) < MOST_REMEMBERED:
            self._addresses[raw_path] = found
        return found

    def _id(self) -> str:
        return f"{self._prefix}{next(self._ids):x}"


def _stranger(id: str, addr: str) -> Asked:
    scope = {"client": (addr, 0), "headers": ()}
    return Asked(scope, _NOWHERE, id, perf_counter())


def _identified(id: str, scope: Any, receive: Any, send: Any) -> tuple[Any, Any, Any]:
    """Let another application know a request by our identifier (its ``request.state.id``), and its answer bear it."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
        await send(message)

    return {**scope, "state": {**scope.get("state", {}), "id": id}}, receive, sent
