"""Tiles: 256 neighbouring hashes of one height in one file, and the same for entries (C2SP tlog-tiles).

A tile of level l holds roots of complete subtrees of 256**l entries. Heights between those of two levels are hashed
again when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable

from redan.kernels.merkle.hashes import HASH_BYTES, root
from redan.kernels.merkle.proofs import Nodes

WIDTH = 256
TILE_HEIGHT = 8
ENTRIES = "entries"
LARGEST_ENTRY_BYTES = 0xFFFF

Tile = Callable[[int, int], bytes]
"""Gives the hashes of tile n of a level, one after the other; at least as many as the tree has there."""


def path(level: int | str, n: int, width: int = WIDTH) -> str:
    """Return where a tile lies below the log's folder, for example ``tile/0/x001/234.p/17``.

    Args:
        level: of the tree, or `ENTRIES` for the bundle of entries.
        n: index of the tile within its level.
        width: hashes or entries in it; 256 is a full tile.
    """
    digits = f"{n % 1000:03d}"
    while n := n // 1000:
        digits = f"x{n % 1000:03d}/{digits}"
    part = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{digits}{part}"


def extent(size: int, level: int) -> tuple[int, int]:
    """Return how many full tiles a level of a tree has, and the width of the partial one after them (0: none)."""
    return divmod(size >> (TILE_HEIGHT * level), WIDTH)


def levels(size: int) -> range:
    """Return the levels in which a tree of this size has hashes."""
    return range((max(size, 1).bit_length() + TILE_HEIGHT - 1) // TILE_HEIGHT if size else 0)


def hashes(tile: bytes) -> list[bytes]:
    """Cut a tile into its hashes."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def nodes(tile: Tile) -> Nodes:
    """Return what gives the hash of any complete subtree, computed from tiles."""

    def subtree(height: int, index: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        n, first = divmod(index << within, WIDTH)
        return root(hashes(tile(level, n)[first * HASH_BYTES : (first + (1 << within)) * HASH_BYTES]))

    return subtree


def bundle(entries: list[bytes]) -> bytes:
    """Join entries into a bundle, each with its length in front as two bytes, big-endian."""
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def entries(bundle: bytes) -> list[bytes]:
    """Cut a bundle into its entries.

    Raises:
        ValueError: the last entry is cut off.
    """
    found, at, end = [], 0, len(bundle)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        found.append(bundle[start:at])
    if at != end:
        raise ValueError(f"the entry after {len(found) - 1} others is cut off")
    return found
