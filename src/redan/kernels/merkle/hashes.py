"""The two hashes of a transparency log's tree, and the root over a list of them (RFC 6962, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf(entry: bytes) -> bytes:
    """Return the hash of one entry; the prefix keeps an entry from passing as an inner node."""
    return sha256(b"\0" + entry).digest()


def leaves(entries: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of several entries."""
    return [sha256(b"\0" + entry).digest() for entry in entries]


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node from its two children."""
    return sha256(b"\1" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over equally high subtrees, the last of which may be lower.

    Joining neighbours level by level and lifting an odd last one unchanged gives the tree of the RFC, which splits at
    the largest power of two.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) & 1 else []
        level = [sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]
