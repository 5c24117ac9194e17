"""From what went wrong to what a client is told: a refusal, never a traceback, a path or a measured number."""

from __future__ import annotations

import traceback
from dataclasses import replace

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from redan.core.errors import EvidenceError, RedanError, UnknownName, UsageError
from redan.service.gateway.refusal import FAILED, MALFORMED, NOT_FOUND, UNJUDGED, Refusal
from redan.service.identity.principal import Unjudged
from redan.service.web.telling import Telling

UNFIT = Refusal(409, "conflict", "this cannot be done now")
_MOST_SAID = 300
"""What a client sent comes back to it no longer than that."""
_encode = msgspec.json.Encoder().encode
_telling = Telling()


class Refused(Exception):
    """Ends a handler with a refusal.

    Args:
        refusal: which.
        say: what the client is told instead of the refusal's own sentence; written by us, holding nothing secret.
    """

    def __init__(self, refusal: Refusal, say: str = "") -> None:
        super().__init__(refusal.why)
        self.refusal = replace(refusal, say=say) if say else refusal


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of an error.

    Words that a client sent wrongly come back with our sentence about them; whatever else fails is FAILED, with the
    facts on standard error alone (`redan.service.web.telling`).
    """
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, UnknownName):
        return replace(NOT_FOUND, say=error.message)
    if isinstance(error, UsageError):
        return replace(UNFIT, say=" – ".join(filter(None, (error.message, error.hint))))
    if isinstance(error, EvidenceError):
        _telling.tell(error.diagnostics())
        if isinstance(error, Unjudged):
            return UNJUDGED
        return replace(FAILED, say="the service cannot reach what it needs; ask again")
    if isinstance(error, msgspec.ValidationError):
        return replace(MALFORMED, say=f"the body does not fit: {error}"[:_MOST_SAID])
    if isinstance(error, msgspec.DecodeError | RecursionError | ClientDisconnect):
        return MALFORMED
    words = error.diagnostics() if isinstance(error, RedanError) else "".join(traceback.format_exception(error))
    _telling.tell(words)
    return FAILED


def response_of(refusal: Refusal) -> Response:
    """Return a refusal as an HTTP answer: a small JSON object."""
    body = _encode({"error": refusal.why, "message": refusal.say})
    response = Response(body, status_code=refusal.status, media_type="application/json")
    if refusal.retry_s:
        response.headers["Retry-After"] = str(refusal.retry_s)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="redan"'
    return response
