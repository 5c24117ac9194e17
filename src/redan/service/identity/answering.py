"""What handlers of identity share: the database off the event loop, the authority, answers in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.responses import Response

from redan.core.errors import InternalError
from redan.service.gateway.refusal import FORBIDDEN, UNKNOWN
from redan.service.identity.authority import Authority
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.service.identity.principal import Principal
    from redan.service.identity.roles import Roles
    from redan.service.web.endpoint import Asked

Answer = TypeVar("Answer")
_encode = msgspec.json.Encoder().encode


def authority_of(asked: Asked) -> Authority:
    """Return the authority, whose keys and roles handlers need."""
    authority = asked.parts.authority
    if not isinstance(authority, Authority):
        raise InternalError(f"identity is served by a {type(authority).__name__}")
    return authority


def roles_of(asked: Asked) -> Roles:
    """Return every role."""
    return authority_of(asked).recognition.roles


def who(asked: Asked) -> Principal:
    """Return who asks.

    Raises:
        Refused: nobody known does.
    """
    if asked.principal is None:
        raise Refused(UNKNOWN)
    return asked.principal


def not_oneself(asked: Asked, subject: str) -> None:
    """Refuse that somebody changes what they themselves may do.

    Raises:
        Refused: they would.
    """
    if who(asked).id == subject:
        raise Refused(FORBIDDEN, "nobody changes what they themselves may do; ask another administrator")


async def read(asked: Asked, work: Callable[[Connection], Answer]) -> Answer:
    """Look something up, off the event loop."""

    def run() -> Answer:
        """Do it in a thread."""
        with asked.parts.database.reading() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


async def write(asked: Asked, work: Callable[[Connection], Answer]) -> Answer:
    """Change something, off the event loop, wholly or not at all."""

    def run() -> Answer:
        """Do it in a thread."""
        with asked.parts.database.writing() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


def json(value: Any, status: int = 200, *, secret: bool = False) -> Response:
    """Answer with JSON; what holds a secret is kept by no cache."""
    headers = {"Cache-Control": "no-store"} if secret else None
    return Response(_encode(value), status_code=status, media_type="application/json", headers=headers)


def done() -> Response:
    """Answer that it is done."""
    return Response(status_code=204)
