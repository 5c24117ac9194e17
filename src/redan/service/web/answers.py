"""What handlers share: answers in JSON, and the service's database off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.service.web.endpoint import Asked

Answer = TypeVar("Answer")
_encode = msgspec.json.Encoder().encode


def json(value: Any, status: int = 200) -> Response:
    """Answer with JSON; no cache keeps it (`redan.service.web.headers`)."""
    return Response(_encode(value), status_code=status, media_type="application/json")


def done() -> Response:
    """Answer that it is done."""
    return Response(status_code=204)


async def read(asked: Asked, work: Callable[[Connection], Answer]) -> Answer:
    """Look something up, off the event loop.

    Raises:
        EvidenceError: the database does not answer.
    """

    def run() -> Answer:
        with asked.parts.database.reading() as connection:
            return work(connection)

    return await asyncio.to_thread(run)


async def write(asked: Asked, work: Callable[[Connection], Answer]) -> Answer:
    """Change something, off the event loop, wholly or not at all.

    Raises:
        EvidenceError: the database does not answer.
    """

    def run() -> Answer:
        with asked.parts.database.writing() as connection:
            return work(connection)

    return await asyncio.to_thread(run)
