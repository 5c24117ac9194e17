"""Large batches as a stream: a row, or a list of rows, a line (NDJSON); the answers to each line come as they are made.

Memory holds one chunk of lines, whatever the stream's length; when the client does not read, nothing more is read
from it. Every chunk goes through the same guards, limits and audit as a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.service.gateway import native
from redan.service.gateway.asked import NDJSON, Asked
from redan.service.gateway.refusal import INVALID, MOVED, RATE, TOO_LARGE, Refusal
from redan.service.gateway.rows import fitted
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.gateway.app import DataPlane
    from redan.service.gateway.call import Call
    from redan.service.models.served import Served

_MOST_PATIENCE_S = 30.0
_PAUSE_S = 0.05
_encode = msgspec.json.Encoder().encode


class _Recorded(Refused):
    """A refusal that the audit log holds already, with its batch."""


class _Chunk:
    """Lines that are answered together.

    Attributes:
        sizes: rows of each line; 0 for a line that is one row and no list of rows.
        rows: of all.
    """

    __slots__ = ("_arrays", "_texts", "rows", "sizes")

    def __init__(self) -> None:
        self._texts: list[bytes] = []
        self._arrays: list[NDArray[Any]] = []
        self.sizes: list[int] = []
        self.rows = 0

    def add(self, text: bytes, values: NDArray[Any], *, single: bool) -> None:
        """Take one more line, decoded."""
        self._arrays.append(values)
        self._texts.append(text)
        self.sizes.append(0 if single else len(values))
        self.rows += len(values)

    def joined(self) -> tuple[NDArray[Any], bytes]:
        """Return the rows and the bytes of all lines, and keep neither: watchers may hold the call for a while."""
        x = self._arrays[0] if len(self._arrays) == 1 else np.concatenate(self._arrays)
        body = b"\n".join(self._texts)
        self._arrays, self._texts = [], []
        return x, body

    def write(self, call: Call) -> bytes:
        """Write one line of answer for each line of rows."""
        lines, at = [], 0
        labels, scores = call.labels, call.scores
        assert labels is not None
        for size in self.sizes:
            ends = at + (size or 1)
            if not size:
                line: dict[str, Any] = {"label": int(labels[at])}
                if scores is not None:
                    line["scores"] = scores[at].tolist()
            else:
                line = {"labels": labels[at:ends].tolist()}
                if scores is not None:
                    line["scores"] = scores[at:ends].tolist()
            lines.append(_encode(line))
            at = ends
        return b"\n".join(lines) + b"\n"


class _Lines:
    """Cuts what arrives into lines of bounded length."""

    def __init__(self, receive: Any, most_bytes: int) -> None:
        self._receive, self._most_bytes = receive, most_bytes
        self._left = bytearray()
        self._more = True
        self.gone = False

    async def some(self) -> list[bytes]:
        """Return the next complete lines; none at the end."""
        while self._more:
            message = await self._receive()
            if message["type"] != "http.request":
                self.gone, self._more = True, False
                return []
            body, self._more = message["body"], message["more_body"]
            if b"\n" in body or not self._more:
                lines = b"".join((self._left, body)).split(b"\n")
                self._left = bytearray(lines.pop() if self._more else b"")
            else:
                # grown in place: a line that comes in a thousand pieces is not copied a thousand times
                lines = []
                self._left += body
            if len(self._left) > self._most_bytes:
                raise Refused(TOO_LARGE)
            found = [line for line in lines if line.strip()]
            if found:
                return found
        return []


async def stream(plane: DataPlane, asked: Asked, served: Served, receive: Any, send: Any) -> None:
    """Answer a stream; what goes wrong before the first answer is a plain refusal, later it is the last line."""
    lines = _Lines(receive, plane.limits.body_bytes)
    answering = _Answering(plane, asked, served, send)
    try:
        while found := await lines.some():
            for text in found:
                values, single = native.line(text, served)
                values = fitted(values, served, plane.limits.rows)
                if answering.chunk.rows + len(values) > plane.chunk_rows:
                    await answering.flush()  # a large line is asked by itself, as a request of so many rows
                answering.chunk.add(text, values, single=single)
                if answering.chunk.rows >= plane.chunk_rows:
                    await answering.flush()
        if lines.gone:
            return
        await answering.flush()
        if not answering.rows:
            raise Refused(INVALID, "the stream holds no row")
    except Refused as error:
        await answering.fail(error.refusal, recorded=isinstance(error, _Recorded))
        return
    await answering.end({"model": served.label, "digest": served.digest, "rows": answering.rows})


class _Answering:
    """The answer's side of a stream."""

    def __init__(self, plane: DataPlane, asked: Asked, served: Served, send: Any) -> None:
        self._plane, self._asked, self._served, self._send = plane, asked, served, send
        self._begun = False
        self.chunk = _Chunk()
        self.rows = 0

    async def flush(self) -> None:
        """Ask for the chunk's answers and send them."""
        chunk, self.chunk = self.chunk, _Chunk()
        if not chunk.rows:
            return
        # a stream may outlast its credential
        principal = await self._plane.let_in(self._asked)
        await self._allowance(principal.id, chunk.rows)
        # and its version: a rollback, or newer bytes in the place of revoked ones, would not reach who never ends
        if self._plane.chosen(self._asked) is not self._served:
            raise Refused(MOVED)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        x, body = chunk.joined()
        call = self._plane.call(self._asked, principal, self._served, x, body, chunk.write, answered)
        await self._plane.ask(call, answered)
        if call.refusal is not None:
            raise _Recorded(call.refusal)
        self.rows += chunk.rows
        await self._line(call.reply)

    async def fail(self, refusal: Refusal, *, recorded: bool) -> None:
        """Tell why the stream ends here."""
        if not recorded:
            refusal = await self._plane.deny(self._asked, refusal)
        if self._begun:
            await self.end({"error": refusal.why, "message": refusal.say, "rows": self.rows})
        else:
            await self._plane.send_refusal(self._asked, refusal, self._send)

    async def end(self, last: dict[str, Any]) -> None:
        """Send the last line."""
        await self._line(_encode(last) + b"\n", more=False)

    async def _allowance(self, client: str, rows: int) -> None:
        """Wait until the client's rate allows the chunk: a stream is slowed down where requests are refused."""
        clock = asyncio.get_running_loop()
        ends_s = clock.time() + _MOST_PATIENCE_S
        while (refusal := self._plane.parts.limiter.take(client, rows)) is not None:
            if refusal.why != RATE.why or clock.time() > ends_s:
                raise Refused(refusal)
            await asyncio.sleep(_PAUSE_S)

    async def _line(self, body: bytes, *, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", NDJSON), (b"x-request-id", self._asked.id.encode())]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
