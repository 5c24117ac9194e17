"""What the limiter keeps in the service's database, so that a restart gives nobody a fresh allowance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from redan.service.guards.budgets import HOURS
from redan.service.guards.tables import rows_asked, throttled

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from redan.evidence.store.database import Database

Counts = list[tuple[str, int, int]]
FORGOTTEN_S = 3600.0
"""So long after its end a throttle is forgotten: more than clocks of replicas differ."""
MOST_FORGOTTEN = 1000


def slow(connection: Connection, client: str, rate_per_s: float | None, until_s: float) -> None:
    """Write that a client is slowed down, or with None no longer; every replica reads it within a second."""
    connection.execute(delete(throttled).where(throttled.c.client == client))
    if rate_per_s is not None:
        connection.execute(throttled.insert().values(client=client, rate_per_s=rate_per_s, until_s=until_s))


def slowed(connection: Connection) -> dict[str, tuple[float, float]]:
    """Return every client that was slowed down: rows a second, and until when in seconds since the epoch."""
    query = select(throttled.c.client, throttled.c.rate_per_s, throttled.c.until_s)
    return {client: (rate, until) for client, rate, until in connection.execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """The limiter's tables as one replica uses them; every call blocks.

    Attributes:
        database: the service's.
        replica: whose counts are written; what others wrote is only read.
    """

    database: Database
    replica: str

    def write(self, counts: Sequence[tuple[str, int, int]], *, hour: int) -> None:
        """Write this replica's counts (client, hour, rows), and forget what is older than a day.

        Raises:
            EvidenceError: the database does not answer.
        """
        dialect = sqlite if self.database.is_sqlite else postgresql
        with self.database.writing() as connection:
            connection.execute(delete(rows_asked).where(rows_asked.c.hour < hour - HOURS))
            if counts:
                insert = dialect.insert(rows_asked)
                statement = insert.on_conflict_do_update(
                    index_elements=["client", "hour", "replica"], set_={"rows": insert.excluded.rows}
                )
                connection.execute(
                    statement,
                    [{"client": c, "hour": h, "replica": self.replica, "rows": rows} for c, h, rows in counts],
                )

    def own(self, *, hour: int) -> Counts:
        """Return this replica's counts of the last day; errors as in `write`."""
        query = select(rows_asked.c.client, rows_asked.c.hour, rows_asked.c.rows).where(
            rows_asked.c.replica == self.replica, rows_asked.c.hour >= hour - HOURS
        )
        with self.database.reading() as connection:
            return [(client, int(at), int(rows)) for client, at, rows in connection.execute(query)]

    def others(self, *, hour: int) -> dict[str, int]:
        """Return rows that other replicas counted in the last day, by client; errors as in `write`."""
        query = (
            select(rows_asked.c.client, func.sum(rows_asked.c.rows))
            .where(rows_asked.c.replica != self.replica, rows_asked.c.hour >= hour - HOURS)
            .group_by(rows_asked.c.client)
        )
        with self.database.reading() as connection:
            return {client: int(rows) for client, rows in connection.execute(query)}

    def slow(self, client: str, rate_per_s: float | None, until_s: float) -> None:
        """Write that a client is slowed down, or with None no longer; errors as in `write`."""
        with self.database.writing() as connection:
            slow(connection, client, rate_per_s, until_s)

    def slowed(self) -> dict[str, tuple[float, float]]:
        """Return every client that was slowed down, with rate and end; errors as in `write`."""
        with self.database.reading() as connection:
            return slowed(connection)

    def forget(self, now_s: float) -> None:
        """Delete throttles that have long been over, at most `MOST_FORGOTTEN` of them; errors as in `write`."""
        old = select(throttled.c.client).where(throttled.c.until_s < now_s - FORGOTTEN_S).limit(MOST_FORGOTTEN)
        with self.database.writing() as connection:
            connection.execute(delete(throttled).where(throttled.c.client.in_(old)))
