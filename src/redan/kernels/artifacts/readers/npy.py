"""NumPy's array files: the header decides whether a pickle follows.

Source: NumPy NEP 1 and `numpy/lib/format.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.pickles import read_pickles

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

MAGIC = b"\x93NUMPY"

_DESCR = re.compile(rb"""["']descr["']\s*:""")
_OTHER_KEY = re.compile(rb"""["'](?:fortran_order|shape)["']""")
_OBJECT = re.compile(rb"""["'][<>|=]?O\d*["']""")
_PLAIN = re.compile(rb"""["'][<>|=]?[?bhilqpBHILQPefdgFDGSUVMmiufca]\d*(?:\[\w+\])?["']""")
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
    return "npy"
