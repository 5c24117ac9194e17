"""What goes back to a client that gets no prediction: the same words on every path."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

import msgspec

from redan.service.gateway.refusal import Refusal

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
CLOSE = (b"connection", b"close")


@lru_cache(maxsize=256)
def refusal_body(refusal: Refusal) -> bytes:
    """Write ``{"error": word, "message": sentence}``, as every other route of the service does."""
    return msgspec.json.encode({"error": refusal.why, "message": refusal.say})


@lru_cache(maxsize=256)
def refusal_headers(refusal: Refusal) -> tuple[tuple[bytes, bytes], ...]:
    """Write the headers of a refusal: length, kind, Retry-After and how to authenticate where they apply."""
    headers = [JSON, (b"content-length", str(len(refusal_body(refusal))).encode()), NO_STORE]
    if refusal.retry_s:
        headers.append((b"retry-after", str(refusal.retry_s).encode()))
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return tuple(headers)


def refusal_bytes(refusal: Refusal, id: str) -> bytes:
    """Write a whole HTTP/1.1 response that ends the connection, for where no request could be understood.

    Args:
        refusal: what is told.
        id: identifier of the record, for the header ``x-request-id``.
    """
    head, body = _written(refusal)
    return b"%s\r\nx-request-id: %s\r\n\r\n%s" % (head, id.encode(), body)


@lru_cache(maxsize=256)
def _written(refusal: Refusal) -> tuple[bytes, bytes]:
    """Return a response's head without its end, and its body."""
    phrase = HTTPStatus(refusal.status).phrase.encode()
    lines = [b"HTTP/1.1 %d %s" % (refusal.status, phrase)]
    lines += [name + b": " + value for name, value in (*refusal_headers(refusal), CLOSE)]
    return b"\r\n".join(lines), refusal_body(refusal)
