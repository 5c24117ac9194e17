"""Checkpoints of transparency logs: signed notes kept away from the log, so that a log rolled back is noticed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from redan.core.errors import SignatureRefused, UsageError
from redan.evidence.store import tables
from redan.evidence.store.clear import now_us, searchable
from redan.evidence.store.database import insert_new
from redan.evidence.store.opening import Store

LONGEST_NOTE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's state at one size.

    Attributes:
        origin: name of the log.
        size: number of entries.
        root_sha256: root hash of the tree, hexadecimal.
        note: the signed note; whoever relies on it verifies its signatures.
    """

    origin: str
    size: int
    root_sha256: str
    note: str


def add(store: Store, checkpoint: Checkpoint) -> bool:
    """Keep a checkpoint; return whether it is new.

    Raises:
        UsageError: a negative size, or a note of more than 65 536 characters.
        SignatureRefused: another root is known for the same log and size, so the log showed two histories.
    """
    table = tables.checkpoints
    if not 0 <= checkpoint.size < 1 << 63 or len(checkpoint.note) > LONGEST_NOTE or "\0" in checkpoint.note:
        raise UsageError(f"the checkpoint of {checkpoint.origin!r} has an impossible size or note")
    origin = searchable(checkpoint.origin)
    row = {
        "origin": origin,
        "size": checkpoint.size,
        "root_sha256": checkpoint.root_sha256,
        "note": checkpoint.note,
        "added_us": now_us(),
    }
    with store.database.writing() as connection:
        new = bool(insert_new(connection, table, [row]))
        same = select(table.c.root_sha256).where(table.c.origin == origin, table.c.size == checkpoint.size)
        known = connection.execute(same).scalar_one()
    if known != checkpoint.root_sha256:
        raise SignatureRefused(
            f"the log {checkpoint.origin!r} had root {known[:16]}… at size {checkpoint.size} and now shows "
            f"{checkpoint.root_sha256[:16]}…: it has two histories"
        )
    return new


def latest(store: Store, origin: str) -> Checkpoint | None:
    """Return the checkpoint with the most entries of a log, or None."""
    table = tables.checkpoints
    query = select(table).where(table.c.origin == searchable(origin)).order_by(table.c.size.desc()).limit(1)
    with store.database.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Checkpoint(origin=row.origin, size=row.size, root_sha256=row.root_sha256, note=row.note)
