"""Zstandard: frames, and the blocks in them that are stored as they are.

Python's standard library has no decoder before 3.14, and a verdict must not depend on what is installed. So blocks that
are stored or repeat one byte are read, which is how short payloads are kept, and a compressed block makes the file
unknown. Source: RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RAW, _REPEATED = 0, 1
_SIZE_WIDTHS = (0, 2, 4, 8)
_DICTIONARY_WIDTHS = (0, 1, 2, 4)


class _MalformedError(ValueError):
    """A structure that is not where or what the file says."""


def read_zstd(source: Source) -> str:
    """Read what the frames of a file hold, as far as it is stored uncompressed."""
    content = expand_zstd(source, source.data)
    if len(content):
        source.descend(content, "zstd")
    elif source.ledger.complete:
        source.unknown("empty-archive", "the zstd stream holds nothing")
    return "zstd"


def expand_zstd(source: Source, stored: Buffer) -> bytearray:
    """The stored blocks of all frames up to the first compressed one, which is a reason.

    Raises:
        LimitReached: They are more than is left of `Limits.expanded_bytes`, or than `Limits.nodes` blocks.
    """
    out = bytearray()
    pos = 0
    try:
        while pos < len(stored):
            magic = _number(stored, pos, 4)
            if magic in _SKIPPABLE:
                pos += 8 + _number(stored, pos + 4, 4)
            elif magic != _MAGIC:
                raise _MalformedError("no frame begins here")
            else:
                pos = _frame(source, stored, pos + 4, out)
                if pos < 0:
                    break
        if pos > len(stored):
            raise _MalformedError("a frame reaches beyond the end")
    except _MalformedError as error:
        source.unknown("broken-compression", f"the zstd stream is broken: {error}", pos)
    return out


def _number(data: Buffer, pos: int, n_bytes: int) -> int:
    if pos + n_bytes > len(data):
        raise _MalformedError("it ends early")
    return int.from_bytes(bytes(data[pos : pos + n_bytes]), "little")


def _frame(source: Source, data: Buffer, pos: int, out: bytearray) -> int:
    """Pass one frame and keep what it stores; -1 where a block is compressed."""
    descriptor = _number(data, pos, 1)
    is_single = descriptor >> 5 & 1
    width = _SIZE_WIDTHS[descriptor >> 6] or is_single
    pos += 1 + (not is_single) + _DICTIONARY_WIDTHS[descriptor & 3] + width
    while True:
        source.ledger.nodes(1, source.where)
        header = _number(data, pos, 3)
        pos += 3
        n_bytes = header >> 3
        kind = header >> 1 & 3
        if kind == _RAW:
            _keep(source, out, bytes(data[pos : pos + n_bytes]))
            pos += n_bytes
        elif kind == _REPEATED:
            _keep(source, out, bytes(data[pos : pos + 1]) * n_bytes)
            pos += 1
        else:
            source.unknown("unread-compression", "a Zstandard block is compressed, for which there is no decoder", pos)
            return -1
        if pos > len(data):
            raise _MalformedError("a block reaches beyond the end")
        if header & 1:
            return pos + 4 * (descriptor >> 2 & 1)


def _keep(source: Source, out: bytearray, piece: bytes) -> None:
    source.ledger.n_expanded_bytes += len(piece)
    if source.ledger.n_expanded_bytes > source.ledger.limits.expanded_bytes:
        raise source.ledger.limit("expanded_bytes", source.where)
    out += piece
