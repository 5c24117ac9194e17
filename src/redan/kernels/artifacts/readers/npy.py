"""NumPy's array files: the header decides whether a pickle follows.

Source: NumPy NEP 1 and `numpy/lib/format.py`.
"""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.pickles import read_pickles

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

MAGIC = b"\x93NUMPY"

_DESCR = re.compile(rb"""["']descr["']\s*:""")
_OTHER_KEY = re.compile(rb"""["'](?:fortran_order|shape)["']""")
_OBJECT = re.compile(rb"""["'][<>|=]?O\d*["']""")
_PLAIN = re.compile(rb"""["'][<>|=]?[?bhilqpBHILQPefdgFDGSUVMmiufca]\d*(?:\[\w+\])?["']""")
_SIZED = re.compile(rb"""["'][<>|=]?([?bhilqpBHILQPefdgFDGSUVMmiufc])(\d*)(?:\[\w+\])?["']""")
_SHAPE = re.compile(rb"""["']shape["']\s*:\s*\(([\d\s,]*)\)""")
_MOST_SIDES = 64
"""NumPy's own limit."""
_MOST_DIGITS = 18
_BEYOND_ANY_FILE = 1 << 62
_TEXT_BYTES = 4
"""A character of a U string takes four bytes; every other numbered type counts bytes."""
_HEADER = re.compile(rb"""\{[\w\s"'<>|=?,:()\[\]{}.+-]*\}\s*""")


def _header(data: bytes) -> tuple[bytes, int] | None:
    """The header's text and the offset behind it."""
    if data[:6] != MAGIC or len(data) < 12:
        return None
    start, width = (10, 2) if data[6] == 1 else (12, 4)
    n_bytes = int.from_bytes(data[8 : 8 + width], "little")
    return data[start : start + n_bytes], start + n_bytes


def holds_objects(head: bytes) -> bool | None:
    """Whether an array file holds pickled objects; None where this is no array file or its header is strange."""
    found = _header(head)
    if found is None or not found[0].isascii():
        return None
    key = _DESCR.search(found[0])
    if key is None or not _HEADER.fullmatch(found[0]):
        return None
    other = _OTHER_KEY.search(found[0], key.end())
    descr = found[0][key.end() : other.start() if other else len(found[0])]
    if _OBJECT.search(descr):
        return True
    return False if _PLAIN.search(descr) else None


def _n_content(header: bytes) -> int | None:
    """Bytes of a plain array's content, or None for structured and unnumbered types, whose size is not told here."""
    key, shape = _DESCR.search(header), _SHAPE.search(header)
    kind = _SIZED.match(header[key.end() :].lstrip()) if key else None
    if kind is None or shape is None:
        return None
    if not kind[2] and kind[1] not in b"?":
        return None
    sides = [part.strip() for part in shape[1].split(b",") if part.strip()]
    numbers = (*sides, kind[2] or b"1")
    if len(sides) > _MOST_SIDES or not all(n.isdigit() and len(n) <= _MOST_DIGITS for n in numbers):
        return _BEYOND_ANY_FILE
    n_item = int(kind[2] or b"1") * (_TEXT_BYTES if kind[1] == b"U" else 1)
    # a datetime is written M8[ns]: eight bytes whatever its unit
    return n_item * prod(map(int, sides))


def _check_end(source: Source, header: bytes, start: int) -> None:
    """Account for the whole file: content that is missing, and bytes behind it that nobody read, are not safe."""
    n_content = _n_content(header)
    end = start if n_content is None else start + n_content
    if end > len(source.data):
        source.unknown("truncated", "the array ends before its content", len(source.data))
    elif n_content is not None and end < len(source.data):
        source.unknown("trailing-bytes", f"{len(source.data) - end} bytes behind the array were not read", end)


def read_npy(source: Source) -> str:
    """Read an array file."""
    head = source.head(1 << 20)
    found = _header(head)
    objects = holds_objects(head)
    if found is None or len(found[0]) == 0 or objects is None:
        source.unknown("malformed-header", "the array's header cannot be told")
        if found is not None and found[1] < len(source.data):
            read_pickles(source, found[1])
    elif objects and found[1] >= len(source.data):
        source.unknown("truncated", "the array ends before its pickle", len(source.data))
    elif objects:
        read_pickles(source, found[1])
    else:
        _check_end(source, *found)
    return "npy"
