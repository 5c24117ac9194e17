"""HTTP/1.1 as uvicorn speaks it, with the limits that it lacks and without requests that can be read in two ways.

RFC 9112, sections 6 and 11.2: a message whose length two readers could see differently ends the connection.
llhttp refuses bare CR and LF, folded headers, doubled or odd lengths, and a length beside chunks; the rest is here.
"""

from __future__ import annotations

import asyncio
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from redan.service.gateway.answer import refusal_bytes
from redan.service.gateway.call import Link
from redan.service.gateway.refusal import MALFORMED, OVERLOADED, SLOW, TOO_LARGE, Refusal
from redan.service.gateway.sending import Sending

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from redan.service.gateway.doors import Doors

MOST_HEADERS = 100
MOST_PIPELINED = 64
MOST_LINGERING = 256
LINGER_S = 2.0
"""So long somebody who was refused while still sending may read why (RFC 9112, section 9.6)."""
BEGAN = "redan.began_s"
LINK = "redan.link"
PROXIED = "redan.proxied"
_STREAMED = b"application/x-ndjson"


def is_stream(raw_path: bytes, content_type: bytes) -> bool:
    """Return whether a body is a stream of rows, which has no end that must come soon."""
    return content_type.startswith(_STREAMED) and raw_path.startswith(b"/v1/models/") and raw_path.endswith(b"/predict")


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        ends_s: loop time at which it has waited long enough; infinite while the server works for it.
        link: what requests of this connection look at to see whether their client is still there.
        proxied: whether the other end is a proxy of ours, which says who asks.
    """

    doors: Doors
    """Set on a subclass for each server (`guarded`)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = self.doors.limits
        self.link = Link()
        self.ends_s = inf
        self.proxied = False
        self._address = ""
        self._in_head = False
        self._began_s = 0.0
        self._head_bytes = 0
        self._unread_bytes = 0
        self._begun = 0
        self._body_left: float = 0
        self._held_bytes = 0
        self._streamed = False
        self._deaf = False
        self._refusal: Refusal | None = None
        self._hosts = 0
        self._type = b""
        self._lingers: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Let a client in, or tell it that there are too many."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else "local"
        self.proxied = self.doors.proxies is not None and self.doors.proxies.knows(self._address)
        refusal = self.doors.enter(self, self._address)
        if refusal is not None:
            self._end(refusal)
            return
        self.ends_s = self.loop.time() + self.limits.idle_s

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever still works for this client that it has gone."""
        self.link.lost = True
        self.ends_s = inf
        self.doors.leave(self, self._address)
        if self._lingers is not None:
            self._lingers.cancel()
            self.doors.lingering -= 1
        self._let_go()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came; whatever cannot be understood in exactly one way ends the connection."""
        if self._deaf:
            return
        was_idle, self._begun = self._body_left == 0 and not self._in_head, 0
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._broken(self._refusal or MALFORMED)
            return
        if self._in_head and (self._begun == 0 or (self._begun == 1 and was_idle)):
            # an unfinished head, and nothing else was in what came
            self._unread_bytes += len(data)
            if self._unread_bytes > self.limits.header_bytes:
                self._broken(TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to count a request's head."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._unread_bytes = self._hosts = 0
        self._begun += 1
        self._type = b""
        self._began_s = perf_counter()
        if self.cycle is None or self.cycle.response_complete:
            self.ends_s = self.loop.time() + self.limits.header_s

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._counted(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows a chunked body is dropped, so that it cannot pass for one."""
        self._counted(len(name) + len(value) + 4)
        if not self._in_head:
            return
        super().on_header(name, value)
        name = self.headers[-1][0]
        if name == b"host":
            self._hosts += 1
        elif name == b"content-type":
            self._type = value
        elif name == b"content-length":
            self._body_left = int(value)
        elif name == b"transfer-encoding" and value.lower() != b"chunked":
            self._refuse(MALFORMED)

    def on_headers_complete(self) -> None:
        """Judge the head as a whole, then start the application."""
        self._judge_head(self.parser.get_http_version())
        if self.proxied:
            self._see_through()
        self._streamed = is_stream(self.url.partition(b"?")[0], self._type)
        announced, self._body_left = self._body_left, inf if self._streamed else self.limits.body_bytes
        if announced > self._body_left:
            self._refuse(TOO_LARGE)
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(OVERLOADED)
        super().on_headers_complete()
        self._in_head = False
        self._head_bytes = 0
        self.scope[BEGAN] = self._began_s  # type: ignore[literal-required]  # ours, beside ASGI's
        self.scope[LINK] = self.link  # type: ignore[literal-required]  # ours, beside ASGI's
        self.ends_s = self.loop.time() + self.limits.body_s

    def on_body(self, body: bytes) -> None:
        """Take a part of the body while there is room."""
        self._body_left -= len(body)
        if self._body_left < 0:
            self._refuse(TOO_LARGE)
        size = len(body)
        if self._streamed:
            self.ends_s = self.loop.time() + self.limits.body_s
            if b"\n" in body:
                # lines are answered as they come: only the unfinished one waits
                self._let_go()
                size -= body.rindex(b"\n") + 1
        if not self.cycle.response_complete:
            self._held_bytes += size
            self.doors.held_bytes += size
            if self.doors.held_bytes > self.limits.held_bytes:
                self._refuse(OVERLOADED)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: from here on the client waits for the server, unless it was answered already."""
        self._body_left = 0
        self.ends_s = self.loop.time() + self.limits.idle_s if self.cycle.response_complete else inf
        super().on_message_complete()
        self.cycle.more_body = False

    def on_response_complete(self) -> None:
        """Answer what was asked meanwhile, in order, or wait for the next request."""
        self.server_state.total_requests += 1
        if not self.pipeline:
            self._let_go()
        if self.transport.is_closing():
            self.ends_s = self.loop.time() + self.limits.body_s
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._refusal is not None:
            self._end(self._refusal)
        elif not self.cycle.more_body:
            self.ends_s = self.loop.time() + (self.limits.header_s if self._in_head else self.limits.idle_s)
        elif self._streamed or self.expect_100_continue:
            # nobody can tell whether the rest of the body or another request comes next
            self._leave()

    def pause_writing(self) -> None:
        """Begin to count how long the client does not read what it asked for."""
        self.ends_s = self.loop.time() + self.limits.body_s
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.ends_s = inf
        super().resume_writing()

    def out_of_time(self) -> None:
        """End a connection that waited long enough; one in the middle of a request is told why."""
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        if self.flow.write_paused or self.transport.is_closing():
            self.transport.abort()
        elif under_way and self.flow.read_paused:
            self.ends_s = self.loop.time() + self.limits.body_s
        elif self._in_head or (under_way and cycle.more_body):
            self._broken(SLOW)
        else:
            self._deaf = True
            self.ends_s = self.loop.time() + self.limits.header_s
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start the application with a ``send`` that writes whole answers."""
        task = self.loop.create_task(_run(cycle, app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _see_through(self) -> None:
        """Put the client in the proxy's place, for everything that looks at addresses."""
        assert self.doors.proxies is not None
        address, scheme = self.doors.proxies.seen(self._address, self.headers)
        if address != self._address:
            self.scope["client"] = (address, 0)
            self.scope[PROXIED] = True  # type: ignore[literal-required]  # ours, beside ASGI's
        if scheme:
            self.scope["scheme"] = scheme

    def _judge_head(self, version: str) -> None:
        if self._hosts != 1 and not (version == "1.0" and self._hosts == 0):
            self._refuse(MALFORMED)
        if version not in {"1.0", "1.1"} or not self.url.startswith(b"/") or b"#" in self.url:
            self._refuse(MALFORMED)
        if self.parser.should_upgrade():
            # no other protocol is spoken here, and the parser would leave the body unread
            self._refuse(MALFORMED)
        if version == "1.0" and any(name == b"transfer-encoding" for name, _ in self.headers):
            self._refuse(MALFORMED)

    def _let_go(self) -> None:
        """Count out the bodies that this connection held."""
        self.doors.held_bytes -= self._held_bytes
        self._held_bytes = 0

    def _counted(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(TOO_LARGE)
        if len(self.headers) > MOST_HEADERS:
            self._refuse(TOO_LARGE)

    def _refuse(self, refusal: Refusal) -> None:
        """Stop the parser from within one of its callbacks."""
        self._refusal = refusal
        raise ValueError(refusal.why)

    def _broken(self, refusal: Refusal) -> None:
        """Answer a request that cannot be understood after those that came before it, and read nothing more."""
        self._deaf = True
        self._refusal = refusal
        self.ends_s = inf
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._end(refusal)
        elif self._in_head or not cycle.more_body:
            return
        elif self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
        else:
            self._abandon(cycle, refusal)

    def _abandon(self, cycle: RequestResponseCycle, refusal: Refusal) -> None:
        """End a request whose body broke off while the application was reading it."""
        self.link.lost = True
        cycle.disconnected = True
        cycle.message_event.set()
        if cycle.response_started:
            self.transport.close()
        else:
            self._end(refusal)

    def _end(self, refusal: Refusal) -> None:
        self._deaf = True
        id = self.doors.refused(refusal, self._address)
        if not self.transport.is_closing():
            self.transport.write(refusal_bytes(refusal, id))
            self._leave()

    def _leave(self) -> None:
        """End the connection: we say no more, and what still comes is read and dropped for a moment.

        Closed at once, the client would be reset by what it still sends and might never read the answer.
        """
        self._deaf = True
        self._let_go()
        if self.cycle is not None:
            self.cycle.body = bytearray()
        if self.doors.lingering < MOST_LINGERING and self.transport.can_write_eof():
            self.ends_s = inf
            self.doors.lingering += 1
            self._lingers = self.loop.call_later(LINGER_S, self.transport.abort)
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.ends_s = self.loop.time() + self.limits.header_s
            self.transport.close()


async def _run(cycle: RequestResponseCycle, app: ASGI3Application) -> None:
    sending = Sending(cycle)

    async def whole(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, sending)

    await cycle.run_asgi(whole)


def guarded(doors: Doors) -> type[GuardedProtocol]:
    """Return the protocol for the connections of one server."""
    return type("ServerProtocol", (GuardedProtocol,), {"doors": doors})
