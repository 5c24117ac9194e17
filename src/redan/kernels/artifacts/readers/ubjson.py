"""Universal Binary JSON, as XGBoost saves models: pure data, walked to its end. Source: ubjson.org, Draft 12."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_WIDTHS = {"Z": 0, "N": 0, "T": 0, "F": 0, "i": 1, "U": 1, "I": 2, "l": 4, "L": 8, "d": 4, "D": 8, "C": 1}
_SIZES = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q"}


class _MalformedError(ValueError):
    """No UBJSON."""


def read_ubjson(source: Source) -> str | None:
    """Walk an object that fills the file; None where it is none."""
    head = source.head(2)
    if len(head) < 2 or head[:1] != b"{" or chr(head[1]) not in "iUIlL#$}":
        return None
    try:
        end = _walk(source)
    except (_MalformedError, IndexError, struct.error):
        return None
    if end != len(source.data):
        return None
    return "xgboost-ubj" if source.data.find(b"learner", 0, 64) > 0 else "ubjson"


def _walk(source: Source) -> int:
    """Pass the value at 0; each open container is [is object, items left or -1, fixed type]."""
    data = source.data
    pos = 0
    opened: list[list[int | str]] = []
    fixed = ""
    while True:
        source.ledger.nodes(1, source.where)
        kind = fixed
        if not kind:
            kind, pos = chr(data[pos]), pos + 1
        if kind in "{[":
            frame, pos = _open(data, pos, kind)
            if frame[2] and frame[2] in _WIDTHS and frame[1] != -1 and kind == "[":
                pos += _WIDTHS[str(frame[2])] * int(frame[1])
            else:
                opened.append(frame)
        elif kind in "SH":
            pos = _length(data, pos, len(data))
        elif kind in _WIDTHS:
            pos += _WIDTHS[kind]
        else:
            raise _MalformedError(kind)
        if pos > len(data):
            raise _MalformedError("end")
        pos = _next(data, pos, opened)
        if not opened:
            return pos
        fixed = str(opened[-1][2])


def _open(data: Buffer, pos: int, kind: str) -> tuple[list[int | str], int]:
    fixed = ""
    count = -1
    if data[pos] == 0x24:
        fixed, pos = chr(data[pos + 1]), pos + 2
    if data[pos] == 0x23:
        count, pos = _integer(data, pos + 1)
    if (fixed and count < 0) or count > len(data):
        raise _MalformedError("count")
    return [kind, count, fixed], pos


def _next(data: Buffer, pos: int, opened: list[list[int | str]]) -> int:
    """Close every container that ends here, and pass the key of the next value."""
    while opened:
        frame = opened[-1]
        left = int(frame[1])
        if left == 0 or (left < 0 and data[pos] == (0x7D if frame[0] == "{" else 0x5D)):
            pos += left < 0
            opened.pop()
            continue
        if left > 0:
            frame[1] = left - 1
        return _length(data, pos, len(data)) if frame[0] == "{" else pos
    return pos


def _integer(data: Buffer, pos: int) -> tuple[int, int]:
    kind = chr(data[pos])
    if kind not in _SIZES:
        raise _MalformedError(kind)
    value = struct.unpack_from(_SIZES[kind], data, pos + 1)[0]
    if value < 0:
        raise _MalformedError("negative")
    return value, pos + 1 + _WIDTHS[kind]


def _length(data: Buffer, pos: int, size: int) -> int:
    """Pass a string: its length and its bytes."""
    n_bytes, pos = _integer(data, pos)
    if n_bytes > size - pos:
        raise _MalformedError("length")
    return pos + n_bytes
