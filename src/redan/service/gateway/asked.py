"""What is read of a request on the data path before its body: who, what, in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.service.gateway.call import HERE, Link
from redan.service.gateway.paths import Address
from redan.service.gateway.protocol import BEGAN, LINK
from redan.service.gateway.refusal import NOT_JSON, Refusal

if TYPE_CHECKING:
    from redan.service.identity.principal import Principal

_JSON, _BINARY, NDJSON = b"application/json", b"application/octet-stream", b"application/x-ndjson"
_ENCODED = Refusal(NOT_JSON.status, NOT_JSON.why, "send the body as it is, without Content-Encoding")
_MOST_DIGITS = 12


class Asked:
    """One request on the data path.

    Attributes:
        address: what its path means.
        scope: ASGI's.
        authorization: the header, or empty; two of them are as good as none.
        content_type: media type without parameters, lower case.
        json_bytes: Inference-Header-Content-Length, or None.
        traceparent: the header, or None.
        began_s: `time.perf_counter` at its first byte.
        id: made here.
        addr: network address.
        link: whether the client is still there.
        principal: who asks, once that is known.
    """

    __slots__ = (
        "_encoding", "_length", "addr", "address", "authorization", "began_s", "content_type", "id", "link",
        "principal", "scope", "traceparent",
    )  # fmt: skip

    def __init__(self, scope: Any, address: Address, id: str, now_s: float) -> None:
        self.scope, self.address, self.id = scope, address, id
        self.began_s: float = scope.get(BEGAN, now_s)
        self.link: Link = scope.get(LINK, HERE)
        client = scope["client"]
        self.addr: str = client[0] if client else ""
        self.principal: Principal | None = None
        self.authorization = self.content_type = self._encoding = b""
        self._length: bytes | None = None
        self.traceparent: bytes | None = None
        credentials = 0
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value
                credentials += 1
            elif name == b"content-type":
                self.content_type = value
            elif name == b"inference-header-content-length":
                self._length = value
            elif name == b"content-encoding":
                self._encoding = value
            elif name == b"traceparent":
                self.traceparent = value
        if credentials > 1:
            self.authorization = b""

    @property
    def json_bytes(self) -> int | None:
        """Return how much of the body is JSON, where the client said so; -1 for what is no number."""
        if self._length is None:
            return None
        return int(self._length) if self._length.isdigit() and len(self._length) <= _MOST_DIGITS else -1

    def wrong_form(self) -> Refusal | None:
        """Return why a body of this kind is not taken, or None; a body without a kind is taken for JSON."""
        if self._encoding and self._encoding != b"identity":
            return _ENCODED
        kind = self.content_type
        if kind == _JSON or not kind:
            return None
        kind = kind.partition(b";")[0].strip().lower()
        if kind == _JSON or (kind == _BINARY and self._length is not None):
            return None
        return None if kind == NDJSON and self.address.what == "predict" else NOT_JSON

    @property
    def is_stream(self) -> bool:
        """Whether the body is one row or list of rows a line, without end."""
        return self.address.what == "predict" and self.content_type.startswith(NDJSON)


async def read_body(receive: Any) -> bytes | None:
    """Read a body, which the protocol bounds; None when the client went away or the server gave it up."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message["body"]
    if not message["more_body"]:
        return body
    parts = [body]
    while message["more_body"]:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message["body"])
    return b"".join(parts)
