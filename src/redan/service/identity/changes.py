"""What changed, in order, so that every replica forgets what it remembered of it.

Each change takes the next number of one row that stays locked until the change is committed: numbers appear in their
order, whatever the database, and two changes of who may do what never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from redan.evidence.store.database import insert_new
from redan.service.identity.tables import changes, counters

KEPT = 10_000
TOKEN_KEYS = "token-keys"  # noqa: S105  # names what changed, and is no secret
COUNTER = "changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since a number.

    Attributes:
        seq: number of the newest change.
        what: what changed; None when more did than is kept, so that everything must be forgotten.
    """

    seq: int
    what: frozenset[str] | None


def change(connection: Connection, what: str) -> int:
    """Record a change inside its own transaction and before anything is read; others wait until that ends."""
    bump = (
        update(counters)
        .where(counters.c.name == COUNTER)
        .values(value=counters.c.value + 1)
        .returning(counters.c.value)
    )
    seq = connection.execute(bump).scalar_one_or_none()
    if seq is None:
        insert_new(connection, counters, [{"name": COUNTER, "value": 0}])
        seq = connection.execute(bump).scalar_one()
    connection.execute(insert(changes).values(seq=seq, what=what))
    connection.execute(delete(changes).where(changes.c.seq <= seq - KEPT))
    return int(seq)


def newest(connection: Connection) -> int:
    """Return the number of the newest change; 0 when there was none."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == COUNTER)).scalar_one_or_none() or 0)


def since(connection: Connection, seq: int) -> Changes:
    """Return what changed after a number."""
    now = newest(connection)
    if now == seq:
        return Changes(seq=now, what=frozenset())
    if not seq < now <= seq + KEPT:
        return Changes(seq=now, what=None)
    rows = connection.execute(select(changes.c.what).where(changes.c.seq > seq)).scalars()
    return Changes(seq=now, what=frozenset(rows))
