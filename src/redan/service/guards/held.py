"""Who is held back by the word of a person: whether that may be, and who is held back by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from redan.core.errors import UnknownName, UsageError
from redan.service.identity import tables as identity
from redan.service.incidents import holds, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A client that is slowed down.

    Attributes:
        client: who.
        rate_per_s: rows a second that are left; 0: suspended.
        until_us: until when, microseconds since the epoch.
        incidents: numbers of those that hold it; none: a person does.
    """

    client: str
    rate_per_s: float
    until_us: int
    incidents: tuple[int, ...]


def listed(connection: Connection, slowed: Mapping[str, tuple[float, float]]) -> list[Held]:
    """Return those that are slowed down (rate, end in seconds) with what holds them, the suspended first."""
    by = _incidents(connection)
    return [
        Held(client=client, rate_per_s=rate, until_us=int(until_s * 1e6), incidents=tuple(sorted(by.get(client, ()))))
        for client, (rate, until_s) in sorted(slowed.items(), key=lambda item: (item[1][0] > 0, item[0]))
    ]


def require_slowable(connection: Connection, client: str, rate_per_s: float, until_s: float) -> None:
    """Insist that a person may slow a client down so far.

    Raises:
        UnknownName: the directory does not know it.
        UsageError: an incident holds it harder or longer, and would be undone by this.
    """
    if connection.execute(select(identity.subjects.c.id).where(identity.subjects.c.id == client)).first() is None:
        raise UnknownName(f"the directory knows no {client!r}", hint="client:NAME or user:NAME")
    rate, until_us = holds.wanted(connection).get(client, (float("inf"), 0))
    if rate_per_s > rate or until_s * 1e6 < until_us:
        require_free(connection, client)


def require_free(connection: Connection, client: str) -> None:
    """Insist that no incident holds a client.

    Raises:
        UsageError: one does.
    """
    holding = _incidents(connection).get(client)
    if holding:
        raise UsageError(f"incident {min(holding)} holds {client}", hint="undo its step: redan incident release")


def _incidents(connection: Connection) -> dict[str, set[int]]:
    held: dict[str, set[int]] = {}
    for client, incident in connection.execute(select(tables.holds.c.client, tables.holds.c.incident)):
        held.setdefault(client, set()).add(int(incident))
    return held
