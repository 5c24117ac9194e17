"""GGML's files before GGUF, as llama.cpp wrote them: sizes, a vocabulary, raw tensors.

Other programs put other sizes behind the same magic number; a file that does not end where its tensors do is unknown.
Source: the format notes in ggml's docs/gguf.md ("Historical state of affairs") and llama.cpp's converters.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_UINT32 = Struct("<I").unpack_from
_N_SIZES = 7
_ALIGNMENT = 32
_LONGEST_NAME = 256
_MOST_DIMENSIONS = 4
_BLOCKS = {
    0: (4, 1), 1: (2, 1), 2: (18, 32), 3: (20, 32), 6: (22, 32), 7: (24, 32), 8: (34, 32), 9: (36, 32),
    10: (84, 256), 11: (110, 256), 12: (144, 256), 13: (176, 256), 14: (210, 256), 15: (292, 256),
}  # fmt: skip
"""Bytes and items of a block, by the number of the tensor's type."""


class _MalformedError(ValueError):
    """A length or a type that cannot be."""


def read_ggml(source: Source) -> str:
    """Walk the file to its end."""
    try:
        end = _walk(source)
        if end != len(source.data):
            raise _MalformedError(f"the tensors end at {end} of {len(source.data)}")
    except _MalformedError as error:
        source.unknown("unread-format", f"GGML of another program or version: {error}")
    return "ggml"


def _number(source: Source, pos: int) -> int:
    if pos + 4 > len(source.data):
        raise _MalformedError("it ends early")
    return int(_UINT32(source.data, pos)[0])


def _walk(source: Source) -> int:
    magic = source.head(4)
    has_version, is_aligned = magic in (b"fmgg", b"tjgg"), magic == b"tjgg"
    pos = 8 if has_version else 4
    n_words = _number(source, pos)
    pos += 4 * _N_SIZES
    if n_words > len(source.data) // 4:
        raise _MalformedError(f"a vocabulary of {n_words} words")
    source.ledger.nodes(n_words, source.where)
    for _ in range(n_words):
        pos += 4 + _number(source, pos) + 4 * has_version
    while pos < len(source.data):
        source.ledger.nodes(1, source.where)
        pos = _tensor(source, pos, is_aligned=is_aligned)
    return pos


def _tensor(source: Source, pos: int, *, is_aligned: bool) -> int:
    """Pass one tensor: its description and its numbers."""
    n_dimensions, n_name, kind = (_number(source, pos + 4 * i) for i in range(3))
    if n_dimensions > _MOST_DIMENSIONS or n_name > _LONGEST_NAME or kind not in _BLOCKS:
        raise _MalformedError(f"no tensor can be described at {pos}")
    pos += 12
    n_items = 1
    for i in range(n_dimensions):
        n_items *= _number(source, pos + 4 * i)
    pos += 4 * n_dimensions + n_name
    if is_aligned:
        pos = -(-pos // _ALIGNMENT) * _ALIGNMENT
    n_bytes, n_per_block = _BLOCKS[kind]
    return pos + n_items // n_per_block * n_bytes
