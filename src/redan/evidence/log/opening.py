"""Opening a log for writing: the one writer's lock, and the state that the last writer left."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable, UsageError
from redan.evidence.keys import Signer
from redan.evidence.log import notes, wal
from redan.evidence.log.disk import Disk
from redan.evidence.log.growing import Edge
from redan.evidence.log.notes import Checkpoint
from redan.evidence.log.reading import CHECKPOINT, LOCK, WAL, LogReader, read_checkpoint
from redan.kernels.merkle import tiles
from redan.kernels.merkle.hashes import leaves

DAMAGED = "redan log verify says what is left; restore the folder from a backup"


class LogBusy(UsageError):
    """Another process writes to this log."""


def locked(folder: Path) -> int:
    """Take the lock of a log's one writer and return its handle.

    Raises:
        Unreadable: there is no log.
        LogBusy: another process holds the lock.
        UsageError: the folder may not be written to.
    """
    if not (folder / CHECKPOINT).is_file():
        raise Unreadable(f"there is no log in {str(folder)!r}", hint="redan log init FOLDER --key KEY --origin NAME")
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o644)
    except OSError as err:
        raise UsageError(f"the log {str(folder)!r} may not be written to: {err.strerror}") from err
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(handle)
        raise LogBusy(
            f"another process writes to the log {str(folder)!r}", hint="one at a time; hand it the entries, or wait"
        ) from err
    return handle


def opened(folder: Path, signer: Signer, disk: Disk) -> tuple[Checkpoint, Edge, list[bytes], list[wal.Segment]]:
    """Read the state that the last writer left: checkpoint, right edge there, durable entries after it, segments."""
    checkpoint = read_checkpoint(folder / CHECKPOINT)
    try:
        notes.signed_by(checkpoint, notes.key_of(checkpoint.origin, signer.verifier))
    except SignatureRefused as err:
        raise SignatureRefused(f"the log's checkpoint was not signed by this key: {err.message}") from err
    disk.make_folder(folder / WAL)
    found = wal.recover(folder / WAL, disk)
    if found and found[0].first > checkpoint.size:
        raise EvidenceError(
            f"entries {checkpoint.size} to {found[0].first - 1} are gone from the write-ahead log", hint=DAMAGED
        )
    edge = _edge(LogReader(folder, checkpoint))
    if edge.root() != checkpoint.root:
        raise EvidenceError("the log's last tiles are not those that its checkpoint was signed over", hint=DAMAGED)
    fresh: list[bytes] = []
    for segment in found:
        entries = [entry for group in segment.groups for entry in group]
        fresh += entries[max(0, checkpoint.size - segment.first) :]
    return checkpoint, edge, fresh, found


def _edge(reader: LogReader) -> Edge:
    size = reader.size
    hashes = []
    for level in tiles.levels(size):
        full, rest = tiles.extent(size, level)
        hashes.append(tiles.hashes(reader.tile(level, full)) if rest else [])
    full, rest = tiles.extent(size, 0)
    entries = reader.bundle(full) if rest else []
    if rest and leaves(entries) != hashes[0]:
        raise EvidenceError("the log's last entries are not those that its checkpoint was signed over", hint=DAMAGED)
    return Edge(size, hashes, entries)
