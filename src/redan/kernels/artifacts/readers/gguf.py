"""GGUF: counts, metadata, tensor descriptions, raw tensors. Source: the GGUF specification in ggml's docs/gguf.md."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers.templates import check_template

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_UINT32 = Struct("<I").unpack_from
_UINT64 = Struct("<Q").unpack_from
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9

DEEPEST_ARRAY = 4
"""Arrays within arrays that are followed."""


class _MalformedError(ValueError):
    """A length or a type that cannot be."""


class _Cursor:
    """Reads values one after the other and believes no length."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = source.data
        self.pos = 4

    def take(self, n_bytes: int) -> int:
        start = self.pos
        if n_bytes > len(self.data) - start:
            raise _MalformedError(f"{n_bytes} bytes are claimed at {start} of {len(self.data)}")
        self.pos = start + n_bytes
        return start

    def uint32(self) -> int:
        return int(_UINT32(self.data, self.take(4))[0])

    def uint64(self) -> int:
        return int(_UINT64(self.data, self.take(8))[0])

    def string(self, *, keep: bool = True) -> str:
        n_bytes = self.uint64()
        start = self.take(n_bytes)
        return bytes(self.data[start : start + min(n_bytes, 1 << 21)]).decode("utf-8", "replace") if keep else ""

    def skip(self, kind: int, depth: int) -> None:
        """Pass a value."""
        if kind == _STRING:
            self.string(keep=False)
        elif kind == _ARRAY:
            self._skip_array(depth)
        elif kind in _WIDTHS:
            self.take(_WIDTHS[kind])
        else:
            raise _MalformedError(f"metadata type {kind} does not exist")

    def _skip_array(self, depth: int) -> None:
        kind, n_items = self.uint32(), self.uint64()
        if depth >= DEEPEST_ARRAY:
            raise _MalformedError("arrays lie too deep in arrays")
        if kind in _WIDTHS:
            self.take(_WIDTHS[kind] * n_items)
            return
        if n_items > (len(self.data) - self.pos) // 8:
            raise _MalformedError(f"an array claims {n_items} items")
        self.source.ledger.nodes(n_items, self.source.where)
        for _ in range(n_items):
            self.skip(kind, depth + 1)


def read_gguf(source: Source) -> str:
    """Walk the metadata and the tensor descriptions, and check every chat template."""
    cursor = _Cursor(source)
    try:
        version = cursor.uint32()
        if version not in (2, 3):
            source.unknown("unread-format", f"GGUF version {version} has no reader yet")
            return "gguf"
        n_tensors, n_pairs = cursor.uint64(), cursor.uint64()
        left = len(source.data) - cursor.pos
        if n_tensors > left // 24 or n_pairs > left // 12:
            raise _MalformedError(f"{n_tensors} tensors and {n_pairs} metadata entries are claimed in {left} bytes")
        source.ledger.nodes(n_pairs + n_tensors, source.where)
        for _ in range(n_pairs):
            _read_pair(source, cursor)
        _read_tensors(source, cursor, n_tensors)
    except _MalformedError as error:
        source.unknown("out-of-bounds", f"GGUF: {error}", cursor.pos)
    except LimitReached:
        # A vocabulary beyond the limit on nodes: what was read before still counts.
        return "gguf"
    return "gguf"


def _read_pair(source: Source, cursor: _Cursor) -> None:
    key = cursor.string()
    kind = cursor.uint32()
    if kind == _STRING:
        _check_text(source, key, cursor.string())
    elif kind == _ARRAY and "template" in key:
        _read_list(source, cursor, key)
    else:
        cursor.skip(kind, 0)


def _check_text(source: Source, key: str, text: str) -> None:
    if "template" in key or "{{" in text or "{%" in text:
        check_template(source, text, key)


def _read_list(source: Source, cursor: _Cursor, key: str) -> None:
    """Check every text of a list of templates."""
    start = cursor.pos
    kind, n_items = cursor.uint32(), cursor.uint64()
    if kind != _STRING:
        cursor.pos = start
        cursor.skip(_ARRAY, 0)
        return
    if n_items > (len(source.data) - cursor.pos) // 8:
        raise _MalformedError(f"an array claims {n_items} items")
    source.ledger.nodes(n_items, source.where)
    for _ in range(n_items):
        _check_text(source, key, cursor.string())


def _read_tensors(source: Source, cursor: _Cursor, n_tensors: int) -> None:
    for _ in range(n_tensors):
        name = cursor.string()
        n_dimensions = cursor.uint32()
        if n_dimensions > 8:
            raise _MalformedError(f"tensor {name[:60]!r} has {n_dimensions} dimensions")
        cursor.take(8 * n_dimensions + 4)
        offset = cursor.uint64()
        if offset > len(source.data):
            raise _MalformedError(f"tensor {name[:60]!r} lies at {offset} of {len(source.data)}")
