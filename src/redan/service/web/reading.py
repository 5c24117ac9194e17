"""The body of a request to the table of routes: read within bounds, decoded into the type that its row names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from redan.service.gateway.refusal import MALFORMED, NOT_JSON, TOO_LARGE
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from redan.service.web.endpoint import Endpoint

MOST_BYTES = 1 << 20
"""A larger body than any of these routes needs; models are pushed elsewhere."""
# a string without an end reaches to the end of the body, so that each byte is looked at once
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


async def read(request: Request, most_bytes: int = MOST_BYTES) -> bytes:
    """Read a body; it can be read again.

    Raises:
        Refused: it is too large.
    """
    parts, n_bytes = [], 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > most_bytes:
            raise Refused(replace(TOO_LARGE, say=f"the body is larger than {most_bytes} bytes"))
        parts.append(part)
    whole = request._body = b"".join(parts)  # Starlette's own place for a body that was read already
    return whole


def decoded(endpoint: Endpoint, content_type: str, body: bytes, most_depth: int) -> Any:
    """Decode a JSON body into the type of the route; None where it takes none.

    Raises:
        Refused: not JSON, not UTF-8, or deeper than allowed.
        msgspec.DecodeError: not what the route takes.
    """
    if endpoint.takes is None:
        return None
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused(NOT_JSON)
    if deeper(body, most_depth):
        raise Refused(MALFORMED, f"the body nests more than {most_depth} arrays and objects")
    try:
        return msgspec.json.decode(body, type=endpoint.takes)
    except UnicodeDecodeError:
        raise Refused(MALFORMED, "the body is not UTF-8") from None


def deeper(body: bytes, most: int) -> bool:
    """Return whether JSON opens more than ``most`` brackets inside each other, counted before anything is built."""
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > most:
            return True
    return False
