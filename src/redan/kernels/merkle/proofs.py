"""Inclusion and consistency proofs: made from the hashes of complete subtrees, verified from nothing but roots.

Sources: RFC 6962, section 2.1 (what a proof is); RFC 9162, sections 2.1.3.2 and 2.1.4.2 (how it is verified).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hmac import compare_digest

from redan.kernels.merkle.hashes import EMPTY_ROOT, node

Nodes = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree of a height (0 is a leaf) and an index within that height."""
MOST_HASHES = 64


def subtree(start: int, end: int, nodes: Nodes) -> bytes:
    """Return the root over the leaves from ``start`` up to ``end``; ``start`` is where the RFC would split."""
    pieces = []
    while start < end:
        height = (end - start).bit_length() - 1
        pieces.append(nodes(height, start >> height))
        start += 1 << height
    if not pieces:
        return EMPTY_ROOT
    right = pieces.pop()
    while pieces:
        right = node(pieces.pop(), right)
    return right


def _split(start: int, end: int) -> int:
    return start + (1 << ((end - start - 1).bit_length() - 1))


def inclusion(index: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that entry ``index`` stands in the tree of ``size`` entries, from the leaf upwards.

    Raises:
        ValueError: the tree has no such entry.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start = middle
    return tuple(reversed(path))


def consistency(old: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``old`` entries is the beginning of the tree of ``size`` entries.

    Raises:
        ValueError: the older tree is the larger one.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} entries cannot contain one of {old}")
    if old in {0, size}:
        return ()
    start, end, path = 0, size, []
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            path.append(subtree(middle, end, nodes))
            end = middle
        else:
            path.append(subtree(start, middle, nodes))
            start = middle
    if start:
        path.append(subtree(start, end, nodes))
    return tuple(reversed(path))


def _level(place: int, last: int) -> tuple[int, int]:
    """Climb to the height where the node at ``place`` gets a sibling on its left, or to the root."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof leads from the hash of entry ``index`` to the root of the tree of ``size`` entries."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(sibling, found)
            place, last = _level(place, last)
        else:
            found = node(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and compare_digest(found, root)


def consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that the tree of ``old`` entries is the beginning of the tree of ``size`` entries."""
    if old == size:
        return not path and compare_digest(old_root, root)
    if old == 0:
        return not path and size > 0 and old_root == EMPTY_ROOT
    if not 0 < old < size:
        return False
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    return bool(hashes) and _joined(old, old_root, size, root, hashes)


def _joined(old: int, old_root: bytes, size: int, root: bytes, hashes: list[bytes]) -> bool:
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node(sibling, before), node(sibling, after)
            place, last = _level(place, last)
        else:
            after = node(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and compare_digest(before, old_root) and compare_digest(after, root)
