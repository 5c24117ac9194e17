"""MessagePack, as Flax saves weights: nested data in which nothing may be a pickle. Source: msgpack spec.md."""

from __future__ import annotations

import struct
from struct import Struct
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.pickles import looks_like_pickle

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_UINT = {1: Struct(">B").unpack_from, 2: Struct(">H").unpack_from, 4: Struct(">I").unpack_from}
_FIXED = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
}
_BINARY = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSION = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_FIXED_EXTENSION = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_STRING = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_CONTAINER = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def read_msgpack(source: Source) -> str | None:
    """Walk one value that fills the file and is a map or an array; None where it is none."""
    data = source.data
    first = data[0]
    if not (0x80 <= first <= 0x9F or first in _CONTAINER):
        return None
    pos = 0
    left = 1
    blobs: list[tuple[int, int]] = []
    try:
        while left:
            source.ledger.nodes(1, source.where)
            start, pos, n_items = _step(data, pos)
            left += n_items - 1
            if pos > len(data):
                return None
            if start < pos:
                blobs.append((start, pos))
    except (IndexError, KeyError, struct.error):
        return None
    if pos != len(data):
        return None
    for start, end in blobs:
        content = bytes(data[start:end]) if end - start < 1 << 22 else b""
        if looks_like_pickle(content):
            source.descend(content, f"bytes@{start}")
            source.unsafe("embedded-pickle", "a value of the weights is a pickle", start)
    return "msgpack"


def _step(data: Buffer, pos: int) -> tuple[int, int, int]:
    """Pass one value's head: where its blob begins (or its end), its end, and how many values it holds."""
    code = data[pos]
    pos += 1
    if code <= 0x7F or code >= 0xE0:
        return pos, pos, 0
    if code <= 0x9F:
        return pos, pos, (code & 15) * (2 if code <= 0x8F else 1)
    if code <= 0xBF:
        end = pos + (code & 31)
        return end, end, 0
    if code in _FIXED:
        end = pos + _FIXED[code]
        return end, end, 0
    if code in _FIXED_EXTENSION:
        return pos + 1, pos + 1 + _FIXED_EXTENSION[code], 0
    if code in _CONTAINER:
        width, per_item = _CONTAINER[code]
        return pos + width, pos + width, _UINT[width](data, pos)[0] * per_item
    return _blob(data, pos, code)


def _blob(data: Buffer, pos: int, code: int) -> tuple[int, int, int]:
    if code in _STRING:
        width = _STRING[code]
        end = pos + width + _UINT[width](data, pos)[0]
        return end, end, 0
    is_extension = code in _EXTENSION
    width = _EXTENSION[code] if is_extension else _BINARY[code]
    start = pos + width + is_extension
    return start, start + _UINT[width](data, pos)[0], 0
