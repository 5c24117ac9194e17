"""Sends an answer in one piece, where uvicorn would write its head and its body by themselves: one system call less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_LENGTH, _CONNECTION = b"content-length", b"connection"


class Sending:
    """ASGI's ``send`` for one request: holds the head back until the body is there; a stream goes uvicorn's way.

    Args:
        cycle: uvicorn's side of the request.
    """

    __slots__ = ("_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._head: Any = None

    async def __call__(self, message: Any) -> None:
        """Take a message of the application."""
        cycle, head = self._cycle, self._head
        if head is None:
            if cycle.response_started or message["type"] != "http.response.start":
                await cycle.send(message)
            else:
                self._head = message
            return
        self._head = None
        if message.get("more_body") or cycle.disconnected or cycle.flow.write_paused or not self._whole(head, message):
            await cycle.send(head)
            await cycle.send(message)

    def _whole(self, head: Any, message: Any) -> bool:
        """Write everything at once and end the request; False where the answer is not of the plain kind."""
        cycle, body = self._cycle, message.get("body", b"")
        length = None
        lines = [STATUS_LINE[head["status"]]]
        for name, value in (*cycle.default_headers, *head["headers"]):
            if name == _LENGTH:
                length = value
            elif name == _CONNECTION:
                return False
            lines.append(name + b": " + value + b"\r\n")
        if length != b"%d" % len(body) or cycle.scope["method"] == "HEAD":
            return False
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        block = b"".join(lines)
        if block.count(b"\n") != len(lines) or block.count(b"\r") != len(lines):
            return False
        cycle.transport.write(b"".join((block, b"\r\n", body)))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True
