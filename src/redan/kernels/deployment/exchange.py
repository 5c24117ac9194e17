"""One HTTP/1.1 request as bytes, and one answer out of bytes that nobody trusts.

Source: RFC 9112. Answers are cut at a number of bytes, so that a server cannot exhaust its tester.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from redan.core.errors import Unreadable

MOST_HEADERS = 100
MOST_HEAD_BYTES = 32 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        method: ``GET``, ``HEAD``, ``OPTIONS``, ``POST`` …
        path: with its query, sent as it stands, so that encoded and doubled separators arrive.
        headers: further headers.
        body: bytes to send; empty for none.
        identified: send the operator's credential along.
    """

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    identified: bool = True

    @property
    def line(self) -> str:
        """Method and path, as findings show them."""
        return f"{self.method} {self.path}"[:200]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: 100 … 599.
        headers: names in lower case; of a repeated one the first.
        body: the start of the body, transfer coding removed, content coding not.
        cut: there was more than was read.
        took_s: seconds from sending to the end of reading.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    took_s: float = 0.0

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    @property
    def document(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300


def encoded(request: Request, host: str, credential: tuple[str, str] | None = None) -> bytes:
    """Return the bytes of a request that asks the server to close the connection after its answer."""
    headers = [("Host", host), ("User-Agent", "redan"), ("Accept", "*/*"), ("Connection", "close"), *request.headers]
    if credential is not None and request.identified:
        headers.append(credential)
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(len(request.body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{request.method} {request.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + request.body


def decoded(raw: bytes, *, cut: bool, took_s: float) -> Answer:
    """Read an answer.

    Args:
        raw: everything that was received.
        cut: whether reading stopped before the server closed.
        took_s: how long it took.

    Raises:
        Unreadable: this is no HTTP answer, or its head is too long.
    """
    head, found, rest = raw.partition(b"\r\n\r\n")
    if not found or len(head) > MOST_HEAD_BYTES:
        raise Unreadable("the answer is no HTTP/1.1, or its head does not end")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if not first.startswith("HTTP/1.") or len(words) < 2 or not (words[1].isdigit() and len(words[1]) == 3):
        raise Unreadable(f"the answer begins with {first[:60]!r}; expected an HTTP/1.1 status line")
    headers: dict[str, str] = {}
    for line in lines[:MOST_HEADERS]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    return Answer(
        status=int(words[1]), headers=headers, body=_unchunked(rest) if chunked else rest, cut=cut, took_s=took_s
    )


def _unchunked(data: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        line, found, data = data.partition(b"\r\n")
        size = line.partition(b";")[0].strip()
        if not found or not size or len(size) > 8 or size.strip(b"0123456789abcdefABCDEF"):
            return b"".join(parts)
        count = int(size, 16)
        if count == 0:
            return b"".join(parts)
        parts.append(data[:count])
        data = data[count + 2 :]
