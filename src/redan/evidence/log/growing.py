"""The growing right edge of the tree: takes entries, gives the files that a checkpoint needs."""

from __future__ import annotations

from redan.kernels.merkle import tiles
from redan.kernels.merkle.hashes import EMPTY_ROOT, leaves, root


class Edge:
    """The partial tiles and the partial bundle at the end of a log.

    Args:
        size: entries so far.
        hashes: of the partial tile of each level, lowest first.
        entries: of the partial bundle.
    """

    __slots__ = ("_entries", "_hashes", "size")

    def __init__(self, size: int, hashes: list[list[bytes]], entries: list[bytes]) -> None:
        self.size = size
        self._hashes = hashes
        self._entries = entries

    def extend(self, entries: list[bytes]) -> dict[str, bytes]:
        """Take entries and return the files that became full, by their path in the log."""
        full: dict[str, bytes] = {}
        at = 0
        while at < len(entries):
            taken = entries[at : at + tiles.WIDTH - len(self._entries)]
            at += len(taken)
            self._entries += taken
            self.size += len(taken)
            if len(self._entries) == tiles.WIDTH:
                full[tiles.path(tiles.ENTRIES, self.size // tiles.WIDTH - 1)] = tiles.bundle(self._entries)
                self._entries = []
            self._grow(0, leaves(taken), full)
        return full

    def _grow(self, level: int, hashes: list[bytes], full: dict[str, bytes]) -> None:
        if level == len(self._hashes):
            self._hashes.append([])
        self._hashes[level] += hashes
        if len(self._hashes[level]) < tiles.WIDTH:
            return
        whole, self._hashes[level] = self._hashes[level], []
        n = (self.size >> (tiles.TILE_HEIGHT * (level + 1))) - 1
        full[tiles.path(level, n)] = b"".join(whole)
        self._grow(level + 1, [root(whole)], full)

    def partial(self) -> dict[str, bytes]:
        """Return the files beside the full ones that the tree of this size needs."""
        found = {}
        for level, hashes in enumerate(self._hashes):
            if hashes:
                n = self.size >> (tiles.TILE_HEIGHT * (level + 1))
                found[tiles.path(level, n, len(hashes))] = b"".join(hashes)
        if self._entries:
            found[tiles.path(tiles.ENTRIES, self.size // tiles.WIDTH, len(self._entries))] = tiles.bundle(self._entries)
        return found

    def root(self) -> bytes:
        """Return the root of the tree."""
        found: list[bytes] = []
        for hashes in self._hashes:
            joined = [*hashes, *found]
            found = [root(joined)] if joined else []
        return found[0] if found else EMPTY_ROOT
