"""The searchable index of the logs, filled outside of the data path, from what a signed checkpoint covers.

The index only repeats the logs: it never runs ahead of what is signed, goes on after a crash where the last transaction
ended, and can be made again. Each replica indexes its own log into the database that all share.
"""

from __future__ import annotations

import sys
import threading
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select, update

from redan.core.errors import EvidenceError, RedanError
from redan.evidence.log import LogReader
from redan.evidence.store.database import insert_new
from redan.service.audit.act import Act, decode
from redan.service.audit.tables import answers, records, sources

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from redan.evidence.store.database import Database

BATCH = 5000
EVERY_S = 2.0
LONGEST = 256
_UNREAD = "unreadable"


class Indexer:
    """Follows one log.

    Args:
        database: the service's.
        folder: the log; its name is the replica's.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder, self._replica = database, folder, folder.name
        # the driver itself takes the rows: SQLAlchemy would look at each value of each row once more
        dialect = type(database.engine.dialect)(paramstyle="qmark" if database.is_sqlite else "format")  # type: ignore[call-arg]  # each dialect of ours takes it, their base does not say so
        self._insert = str(insert(records).compile(dialect=dialect))

    def catch_up(self) -> int:
        """Index everything that is signed by now and return how many records that was.

        Raises:
            EvidenceError: the log is shorter than what was indexed, or was damaged, or the database does not answer.
        """
        count = 0
        reader = LogReader(self._folder)
        while done := self._batch(reader):
            count += done
        return count

    def _batch(self, reader: LogReader) -> int:
        with self._database.writing() as connection:
            start = self._start(connection, reader)
            entries = list(islice(reader.entries(start), BATCH))
            if not entries:
                return 0
            acts = [act_of(entry) for entry in entries]
            pairs = zip(entries, acts, strict=True)
            rows = [_row(self._replica, i, entry, act) for i, (entry, act) in enumerate(pairs, start)]
            connection.exec_driver_sql(self._insert, rows)
            insert_new(connection, answers, list(_answered(self._replica, start, acts)))
            self._reached(connection, start + len(entries))
        return len(entries)

    def _start(self, connection: Connection, reader: LogReader) -> int:
        """Return the first record to index, after letting go of what the log has let go of."""
        found = connection.execute(
            select(sources.c.next, sources.c.pruned, sources.c.origin)
            .where(sources.c.replica == self._replica)
            .with_for_update()
        ).one_or_none()
        origin = reader.checkpoint.origin
        if found is None:
            connection.execute(
                insert(sources).values(replica=self._replica, origin=origin, next=reader.pruned, pruned=reader.pruned)
            )
            return reader.pruned
        start, pruned, known = found
        if known != origin or start > reader.size:
            raise EvidenceError(
                f"the index knows {start} records of {known}; the log {origin} has {reader.size} signed ones",
                hint="redan audit verify says what is wrong; redan audit index --rebuild takes the log as it is",
            )
        if pruned < reader.pruned:
            for table in (records, answers):
                connection.execute(delete(table).where(table.c.replica == self._replica, table.c.index < reader.pruned))
            connection.execute(update(sources).where(sources.c.replica == self._replica).values(pruned=reader.pruned))
        return max(int(start), reader.pruned)

    def _reached(self, connection: Connection, after: int) -> None:
        connection.execute(update(sources).where(sources.c.replica == self._replica).values(next=after))

    def rebuild(self) -> int:
        """Forget this log's records and index it again.

        Raises:
            EvidenceError: as `catch_up`.
        """
        with self._database.writing() as connection:
            for table in (records, answers, sources):
                connection.execute(delete(table).where(table.c.replica == self._replica))
        return self.catch_up()

    def follow(self, ended: threading.Event) -> None:
        """Index what is signed, again and again, until ``ended`` is set; trouble is told and tried again.

        A database that is away comes back; a log that was changed stays told until somebody looks at it.
        """
        told = ""
        while not ended.wait(EVERY_S):
            try:
                self.catch_up()
            except RedanError as err:
                if err.message != told:
                    told = err.message
                    sys.stderr.write(f"audit index: {err.diagnostics()}\n")


def _answered(replica: str, start: int, acts: Sequence[Act]) -> Iterator[dict[str, Any]]:
    """Return where each answer stands whose labels are kept."""
    for index, act in enumerate(acts, start):
        if act.labels is not None and act.ok and 0 < len(act.id) <= LONGEST and "\x00" not in act.id:
            yield {"id": act.id, "replica": replica, "index": index}


def _row(replica: str, index: int, entry: bytes, act: Act) -> tuple[str | int | bool, ...]:
    """Return an entry as a row of `records`, in its columns' order; what is no act is indexed as such, to be seen."""
    return (
        replica,
        index,
        act.t_us,
        shown(act.who),
        shown(act.act),
        shown(act.model),
        act.ok,
        shown(act.why),
        act.status,
        shown(act.addr),
        _text(entry),
    )


def shown(value: str) -> str:
    """Return a value as the index's columns hold it: PostgreSQL takes no NUL and no long text into its indexes."""
    return value if len(value) <= LONGEST and "\x00" not in value else value[:LONGEST].replace("\x00", "\ufffd")


def _text(entry: bytes) -> str:
    return entry.decode("utf-8", "replace").replace("\x00", "\ufffd")


def act_of(entry: bytes) -> Act:
    """Read an entry; one that is no act reads as a denied act of nobody, named unreadable."""
    try:
        act = decode(entry)
    except msgspec.DecodeError:
        return Act(t_us=0, who="-", act=_UNREAD, ok=False, why=_UNREAD)
    fits = -(1 << 63) <= act.t_us < 1 << 63 and -(1 << 31) <= act.status < 1 << 31
    return act if fits else Act(t_us=0, who="-", act=_UNREAD, ok=False, why=_UNREAD)


def disagreements(database: Database, folders: Iterable[Path], most: int = 100) -> list[str]:
    """Compare the index with the logs, record by record, and say where they differ.

    Raises:
        EvidenceError: the database does not answer.
    """
    said: list[str] = []
    for folder in folders:
        with closing(_differences(database, folder)) as found:
            said += islice(found, most - len(said))
    return said


def _differences(database: Database, folder: Path) -> Generator[str, None, None]:
    reader, replica = LogReader(folder), folder.name
    with database.reading() as connection:
        reached = connection.execute(select(sources.c.next).where(sources.c.replica == replica)).scalar_one_or_none()
        if reached is None:
            return
        if reached > reader.size:
            yield f"{replica}: the index has {reached} records, the log only {reader.size}"
        question = (
            select(records.c.index, records.c.entry)
            .where(records.c.replica == replica, records.c.index >= reader.pruned)
            .order_by(records.c.index)
        )
        with connection.execution_options(yield_per=BATCH).execute(question) as rows:
            yield from _against(reader, rows, replica, min(int(reached), reader.size))


def _against(reader: LogReader, rows: Iterable[Any], replica: str, stop: int) -> Iterator[str]:
    expected = reader.pruned
    entries = reader.entries(expected, stop)
    for index, text in rows:
        if index != expected or index >= stop:
            yield f"{replica}: the index has record {index} where {expected} should be"
            return
        if text != _text(next(entries)):
            yield f"{replica}: record {index} reads differently in the index and in the log"
        expected += 1
    if expected < stop:
        yield f"{replica}: records {expected} to {stop - 1} are missing from the index"
