"""Letting go of old entries while everything that was signed over them stays checkable.

The first entries of a log, in whole bundles, are replaced by what the tree keeps of them anyway: their hashes. A note
in the folder, signed by the log's key under the name ``ORIGIN/pruned``, says over how many entries that was done and
which root they have, so that nobody without the key can pass a loss for a pruning.
"""

from __future__ import annotations

from pathlib import Path

from redan.core.errors import Unreadable
from redan.evidence.keys import Signer
from redan.evidence.log import notes
from redan.evidence.log.disk import Disk
from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.evidence.log.reading import PRUNED, LogReader, read_checkpoint
from redan.kernels.merkle import tiles

_NAME = "/pruned"


def note_of(reader: LogReader, size: int, signer: Signer) -> Checkpoint:
    """Sign that the first ``size`` entries are hashes only."""
    head = Checkpoint(origin=reader.checkpoint.origin + _NAME, size=size, root=reader.root(size))
    return notes.sign(head, signer)


def read_note(folder: Path, key: NoteKey) -> Checkpoint | None:
    """Read the note of a log's folder; None where nothing was pruned.

    Raises:
        SignatureRefused: the log's key did not sign it.
        Unreadable: it is no such note.
    """
    if not (folder / PRUNED).is_file():
        return None
    note = read_checkpoint(folder / PRUNED)
    if note.size % tiles.WIDTH:
        raise Unreadable(f"{PRUNED}: {note.size} entries are no whole bundles")
    notes.signed_by(note, notes.key_of(key.name + _NAME, key.verifier))
    return note


def remove_bundles(folder: Path, size: int, disk: Disk) -> int:
    """Remove the bundles of the first ``size`` entries that are still there and return how many were.

    Raises:
        OSError: one cannot be removed; asking again goes on where this ended.
    """
    removed: set[Path] = set()
    count = 0
    for n in range(size // tiles.WIDTH):
        path = folder / tiles.path(tiles.ENTRIES, n)
        if path.is_file():
            disk.remove(path)
            removed.add(path.parent)
            count += 1
    for parent in sorted(removed):
        disk.sync_folder(parent)
    return count
