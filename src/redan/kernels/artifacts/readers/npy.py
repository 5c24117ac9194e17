"""NumPy's array files: the header decides whether a pickle follows.

Source: NumPy NEP 1 and `numpy/lib/format.py`.
"""

from __future__ import annotations

import ast
import re
from math import prod
from typing import TYPE_CHECKING, TypeGuard

from redan.kernels.artifacts.readers.pickles import read_pickles

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

MAGIC = b"\x93NUMPY"

_DESCR = re.compile(rb"""["']descr["']\s*:""")
_OTHER_KEY = re.compile(rb"""["'](?:fortran_order|shape)["']""")
_OBJECT = re.compile(rb"""["'][<>|=]?O\d*["']""")
_PLAIN = re.compile(rb"""["'][<>|=]?[?bhilqpBHILQPefdgFDGSUVMmiufca]\d*(?:\[\w+\])?["']""")
_SIZED = re.compile(r"[<>|=]?([?bhilqpBHILQPefdgFDGSUVMmiufca])(\d{0,18})(?:\[\w+\])?")
_MOST_SIDES = 64
"""NumPy's own limit."""
_DEEPEST_FIELD = 16

LONGEST_HEADER = 1 << 16
"""Bytes of a header whose types are added up; version 1 of the format cannot have more."""

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
    """Bytes of an array's content, or None where its header does not tell."""
    if len(header) > LONGEST_HEADER:
        return None
    try:
        described = ast.literal_eval(header.decode("ascii").strip())
        n_item = _n_item(described["descr"], 0)
        sides = described["shape"]
    except (ValueError, SyntaxError, TypeError, LookupError, RecursionError, MemoryError):
        return None
    return None if n_item is None or not _are_sides(sides) else n_item * prod(sides)


def _n_item(descr: object, depth: int) -> int | None:
    """Bytes of one item of a type: a code such as `<f4`, or a list of fields, each with a name, a type and a shape."""
    if isinstance(descr, str):
        kind = _SIZED.fullmatch(descr)
        if kind is None or (not kind[2] and kind[1] != "?"):
            return None
        # a datetime is written M8[ns]: eight bytes whatever its unit
        return int(kind[2] or "1") * (_TEXT_BYTES if kind[1] == "U" else 1)
    if not isinstance(descr, list) or depth > _DEEPEST_FIELD:
        return None
    total = 0
    for field in descr:
        n_bytes = _n_item(field[1], depth + 1)
        sides = field[2] if len(field) > 2 else ()
        sides = (sides,) if isinstance(sides, int) else sides
        if n_bytes is None or not _are_sides(sides):
            return None
        total += n_bytes * prod(sides)
    return total


def _are_sides(sides: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(sides, tuple) and len(sides) <= _MOST_SIDES and all(type(n) is int and n >= 0 for n in sides)


def _check_end(source: Source, header: bytes, start: int) -> None:
    """Account for the whole file: content that is missing, and bytes behind it that nobody read, are not safe."""
    n_content = _n_content(header)
    if n_content is None:
        source.unknown("malformed-header", "the array's header does not tell how long its content is")
        return
    end, n_bytes = start + n_content, len(source.data) + source.n_beyond
    if end > n_bytes:
        source.unknown("truncated", "the array ends before its content", n_bytes)
    elif end < n_bytes:
        source.unknown("trailing-bytes", f"{n_bytes - end} bytes behind the array were not read", end)


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
