"""Whether a store is still what was put into it: every blob against its digests, every row against its document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, Table, select

from redan.core.errors import EvidenceError, RedanError
from redan.core.report import Report
from redan.evidence.places import pieces_of
from redan.evidence.store import runs, statements, tables
from redan.evidence.store.blobs import StoreBlobs, plain_pieces
from redan.evidence.store.database import rows_by
from redan.evidence.store.opening import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it was put: what, and what is wrong with it."""

    what: str
    why: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """What has been looked at so far.

    Attributes:
        n_blobs: blobs read from their place.
        n_opened: blobs whose content was checked against its own digest.
        n_runs: runs whose rows were compared with their report.
        n_statements: statements whose rows were compared with their envelope.
        n_orphans: objects in the place that no row names: left by a writer that died, or not yet finished.
    """

    n_blobs: int = 0
    n_opened: int = 0
    n_runs: int = 0
    n_statements: int = 0
    n_orphans: int = 0


def damages(store: Store, tally: Tally) -> Iterator[Damage]:
    """Look at everything and yield what is damaged; without the store's key only the encrypted bytes are checked.

    Args:
        store: an open store.
        tally: is counted up on the way.
    """
    readable = not store.encrypted or store.names_key is not None
    yield from _blobs(store, tally, readable=readable)
    if readable:
        yield from _runs(store, tally)
        yield from _statements(store, tally)
    tally.n_orphans = _orphans(store)


def _blobs(store: Store, tally: Tally, *, readable: bool) -> Iterator[Damage]:
    for row in _rows(store, tables.blobs, "name"):
        tally.n_blobs += 1
        try:
            _check_stored(store, row)
            if readable:
                _check_content(store, row)
                tally.n_opened += 1
        except EvidenceError as err:
            yield Damage(what=f"blob {row.name[:16]}", why=err.message)


def _check_stored(store: Store, row: Row[Any]) -> None:
    found, size = _digest(pieces_of(store.place, row.object))
    if (found, size) != (row.stored_sha256, row.stored_bytes):
        raise EvidenceError(f"the stored object {row.object} was changed")


def _check_content(store: Store, row: Row[Any]) -> None:
    found, size = _digest(plain_pieces(store, row))
    if size != row.size_bytes or store.name(found) != row.name:
        raise EvidenceError("its content is not what its name says")


def _digest(pieces: Iterable[bytes]) -> tuple[str, int]:
    found, size = sha256(), 0
    for piece in pieces:
        found.update(piece)
        size += len(piece)
    return found.hexdigest(), size


def _runs(store: Store, tally: Tally) -> Iterator[Damage]:
    for row in _rows(store, tables.runs, "id"):
        tally.n_runs += 1
        what = f"run {row.id}"
        try:
            report = Report.from_json(StoreBlobs(store).get_named(row.report))
            wanted = runs.run_row(report), [*runs.finding_rows(report)]
        except RedanError as err:
            yield Damage(what=what, why=f"its report cannot be read: {err.message}")
            continue
        if wanted != (_without(row, "id", "report", "added_us"), _part_of(store, tables.findings, "run", row.id)):
            yield Damage(what=what, why="what the database says of it is not what its report says")


def _statements(store: Store, tally: Tally) -> Iterator[Damage]:
    for row in _rows(store, tables.statements, "id"):
        tally.n_statements += 1
        what = f"statement {row.id}"
        try:
            predicate_type, subjects, keys = statements.described(StoreBlobs(store).get_named(row.envelope))
        except RedanError as err:
            yield Damage(what=what, why=f"its envelope cannot be read: {err.message}")
            continue
        found = (
            row.predicate_type,
            sorted(_part_of(store, tables.statement_subjects, "statement", row.id), key=_place),
            sorted(part["key_id"] for part in _part_of(store, tables.statement_keys, "statement", row.id)),
        )
        if (predicate_type, sorted(subjects, key=_place), keys) != found:
            yield Damage(what=what, why="what the database says of it is not what its envelope says")


def _place(row: dict[str, Any]) -> tuple[int, str]:
    # databases sort text by other rules than Python does
    return row["position"], row["algorithm"]


def _orphans(store: Store) -> int:
    with store.database.reading() as connection:
        named = set(connection.execute(select(tables.blobs.c.object)).scalars())
    return sum(name not in named for name in store.place.names())


def _rows(store: Store, table: Table, key: str) -> Iterator[Row[Any]]:
    with store.database.reading() as connection:
        yield from rows_by(connection, table, key)


def _part_of(store: Store, table: Table, key: str, value: str) -> list[dict[str, Any]]:
    """Return the rows that belong to a run or statement, without naming it again."""
    query = select(table).where(table.c[key] == value).order_by(*table.primary_key.columns)
    with store.database.reading() as connection:
        return [_without(row, key) for row in connection.execute(query)]


def _without(row: Row[Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in keys}
