"""Reading a log's folder as anybody may: the checkpoint, the tiles it promises, entries and proofs from them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.evidence.log import notes
from redan.evidence.log.notes import Checkpoint, NoteKey
from redan.kernels.merkle import proofs, tiles
from redan.kernels.merkle.hashes import HASH_BYTES

CHECKPOINT = "checkpoint"
KEY = "log.vkey"
LOCK = "lock"
WAL = "wal"
PRUNED = "pruned"
_KEPT_TILES = 64
_LARGEST_BUNDLE_BYTES = tiles.WIDTH * (tiles.LARGEST_ENTRY_BYTES + 2)
_TRIES = 3


class Pruned(EvidenceError):
    """An entry was let go on purpose; its hash is kept, so that proofs still hold."""


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Read a file that must not be larger than it can rightly be.

    Raises:
        Unreadable: missing, not permitted or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as err:
        raise Unreadable(f"cannot read {str(path)!r}: {err.strerror}") from err
    if len(data) > most_bytes:
        raise Unreadable(f"{str(path)!r} is larger than {most_bytes} bytes, which no log writes")
    return data


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint file; its signatures are not checked.

    Raises:
        Unreadable: missing or not a checkpoint.
    """
    return notes.parse(read_bounded(path, notes.LARGEST_NOTE_BYTES))


def _in_folder(path: Path) -> Path:
    """Return the path of a file in a log's folder, where nothing else than a file may lie: a pipe would never end."""
    if path.exists() and not path.is_file():
        raise Unreadable(f"{str(path)!r} is no regular file", hint="a log's folder holds files and folders only")
    return path


def _said_to_be_pruned(path: Path) -> int:
    """Return how many entries a note says are gone; one that cannot be read excuses no missing entry."""
    try:
        return read_checkpoint(path).size if path.is_file() else 0
    except Unreadable:
        return 0


def own_key(folder: Path) -> NoteKey:
    """Read the key that a log's folder itself names: good against accidents, worth nothing against its operator.

    Raises:
        Unreadable: there is none.
    """
    return notes.parse_key(read_bounded(_in_folder(folder / KEY), 1024).decode(errors="replace"))


class LogReader:
    """A log's folder at one checkpoint.

    Args:
        folder: the log.
        checkpoint: the tree to read; None takes the folder's own, without checking its signature.

    Attributes:
        pruned: how many of the first entries are hashes only, as the folder says; the signature of that is checked by
            verifying.

    Raises:
        Unreadable: there is no log.
    """

    __slots__ = ("_cache", "checkpoint", "folder", "nodes", "pruned")

    def __init__(self, folder: Path, checkpoint: Checkpoint | None = None) -> None:
        self.folder = folder
        self.checkpoint = read_checkpoint(_in_folder(folder / CHECKPOINT)) if checkpoint is None else checkpoint
        self.pruned = _said_to_be_pruned(_in_folder(folder / PRUNED))
        self._cache: OrderedDict[tuple[int | str, int], bytes] = OrderedDict()
        self.nodes = tiles.nodes(self.tile)

    @property
    def size(self) -> int:
        """Entries under the checkpoint."""
        return self.checkpoint.size

    def width(self, level: int, n: int) -> int:
        """Return how many hashes tile n of a level has under the checkpoint; level 0 tells it for entries too."""
        full, rest = tiles.extent(self.size, level)
        return tiles.WIDTH if n < full else rest if n == full else 0

    def tile(self, level: int, n: int) -> bytes:
        """Return the hashes of a tile, as many as the checkpoint promises.

        Raises:
            EvidenceError: it is missing or too short.
        """
        wanted = self.width(level, n) * HASH_BYTES
        data = self._file(level, n, tiles.WIDTH * HASH_BYTES)
        if len(data) < wanted:
            raise EvidenceError(f"{tiles.path(level, n)} has {len(data)} bytes; expected {wanted}", hint=_DAMAGED)
        return data[:wanted]

    def stored(self, n: int) -> list[bytes]:
        """Return what the file of bundle n holds, be it more or fewer entries than the checkpoint promises.

        Raises:
            Pruned: its entries were let go.
            EvidenceError: it is missing or cut off.
        """
        try:
            return tiles.entries(self._file(tiles.ENTRIES, n, _LARGEST_BUNDLE_BYTES))
        except ValueError as err:
            raise EvidenceError(f"{tiles.path(tiles.ENTRIES, n)}: {err}", hint=_DAMAGED) from err

    def bundle(self, n: int) -> list[bytes]:
        """Return the entries of bundle n, as many as the checkpoint promises.

        Raises:
            EvidenceError: it is missing, too short or cut off.
        """
        wanted = self.width(0, n)
        found = self.stored(n)
        if len(found) < wanted:
            name = tiles.path(tiles.ENTRIES, n)
            raise EvidenceError(f"{name} has {len(found)} entries; expected {wanted}", hint=_DAMAGED)
        return found[:wanted]

    def _file(self, level: int | str, n: int, most_bytes: int) -> bytes:
        """Read the full tile, which may have taken the partial one's place by now, else the partial one."""
        if (level, n) in self._cache:
            self._cache.move_to_end((level, n))
            return self._cache[level, n]
        names = self.names(level, n)
        for path in [self.folder / name for name in names] * _TRIES:
            if path.is_file():
                try:
                    data = read_bounded(path, most_bytes)
                except Unreadable as err:
                    raise EvidenceError(err.message, hint=_DAMAGED) from err
                self._cache[level, n] = data
                if len(self._cache) > _KEPT_TILES:
                    self._cache.popitem(last=False)
                return data
            time.sleep(0)  # a writer may be between putting the full tile there and removing the partial one
        if level == tiles.ENTRIES and n * tiles.WIDTH < self.pruned:
            raise Pruned(
                f"the first {self.pruned} entries were pruned; only their hashes are kept",
                hint="proofs of them still verify with the bytes that somebody kept",
            )
        raise EvidenceError(f"{names[-1]} is missing", hint=_DAMAGED)

    def names(self, level: int | str, n: int) -> list[str]:
        """Return where a tile or bundle may lie: in the full file, or in the partial one of this checkpoint."""
        width = self.width(0 if isinstance(level, str) else level, n)
        return [tiles.path(level, n), *([tiles.path(level, n, width)] if 0 < width < tiles.WIDTH else [])]

    def entry(self, index: int) -> bytes:
        """Return one entry.

        Raises:
            UsageError: the checkpoint has no such entry.
            EvidenceError: it is missing.
        """
        if not 0 <= index < self.size:
            raise UsageError(f"the log has no entry {index}; its checkpoint covers {self.size}")
        n, within = divmod(index, tiles.WIDTH)
        return self.bundle(n)[within]

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the entries from ``start`` up to ``stop``, reading one bundle at a time."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            n, within = divmod(start, tiles.WIDTH)
            found = self.bundle(n)[within : within + stop - start]
            yield from found
            start += len(found)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Return the proof that an entry stands under the checkpoint.

        Raises:
            UsageError: the checkpoint has no such entry.
        """
        if not 0 <= index < self.size:
            raise UsageError(f"the log has no entry {index}; its checkpoint covers {self.size}")
        return proofs.inclusion(index, self.size, self.nodes)

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """Return the proof that the first ``old`` entries were only added to.

        Raises:
            UsageError: the checkpoint covers fewer entries.
        """
        if old > self.size:
            raise UsageError(f"the log's checkpoint covers {self.size} entries, fewer than {old}")
        return proofs.consistency(old, self.size, self.nodes)

    def root(self, size: int) -> bytes:
        """Return the root over the first entries, computed from tiles."""
        return proofs.subtree(0, size, self.nodes)


_DAMAGED = "redan log verify says what is left; restore the folder from a backup"
