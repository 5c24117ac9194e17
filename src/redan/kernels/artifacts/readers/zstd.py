"""Zstandard: frames and their blocks.

Python's standard library has no decoder before 3.14, and a verdict must not depend on what is installed, so the decoder
is our own; it counts what is slow to decode against the limit on produced bytes. Frames that need a dictionary are
unknown, and checksums are not compared. Source: RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers.fse import MalformedError
from redan.kernels.artifacts.readers.zstd_block import LARGEST_BLOCK_BYTES, BlockDecoder

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RAW, _REPEATED, _COMPRESSED = 0, 1, 2
_SIZE_WIDTHS = (0, 2, 4, 8)
_DICTIONARY_WIDTHS = (0, 1, 2, 4)


def read_zstd(source: Source) -> str:
    """Read what the frames of a file hold."""
    content = expand_zstd(source, source.data)
    if len(content):
        source.descend(content, "zstd")
    elif source.ledger.complete:
        source.unknown("empty-archive", "the zstd stream holds nothing")
    return "zstd"


def expand_zstd(source: Source, stored: Buffer) -> bytearray:
    """What all frames hold, up to where one is malformed or a limit is reached, which is a reason."""
    out = bytearray()
    pos = 0
    try:
        while pos < len(stored):
            magic = _number(stored, pos, 4)
            if magic in _SKIPPABLE:
                source.ledger.nodes(1, source.where)
                pos += 8 + _number(stored, pos + 4, 4)
            elif magic != _MAGIC:
                raise MalformedError("no frame begins here")
            else:
                pos = _frame(source, stored, pos + 4, out)
        if pos > len(stored):
            raise MalformedError("a frame reaches beyond the end")
    except MalformedError as error:
        source.unknown("broken-compression", f"the zstd stream is broken: {error}", pos)
    except LimitReached:
        # The reason is recorded; what was expanded so far is still read.
        source.ledger.complete = False
    return out


def _number(data: Buffer, pos: int, n_bytes: int) -> int:
    if pos + n_bytes > len(data):
        raise MalformedError("it ends early")
    return int.from_bytes(bytes(data[pos : pos + n_bytes]), "little")


def _frame(source: Source, data: Buffer, pos: int, out: bytearray) -> int:
    """Append what one frame holds, and give where it ends."""
    descriptor = _number(data, pos, 1)
    is_single = descriptor >> 5 & 1
    n_dictionary = _DICTIONARY_WIDTHS[descriptor & 3]
    n_size = _SIZE_WIDTHS[descriptor >> 6] or is_single
    pos += 1 + (not is_single)
    if descriptor & 8:
        raise MalformedError("a frame is of a later version")
    if _number(data, pos, n_dictionary):
        source.unknown("unread-compression", "a Zstandard frame needs a dictionary", pos)
    size = _number(data, pos + n_dictionary, n_size) + (256 if n_size == 2 else 0)
    start = len(out)
    pos = _blocks(source, data, pos + n_dictionary + n_size, out)
    if n_size and len(out) - start != size:
        raise MalformedError("a frame holds another number of bytes than it says")
    return pos + 4 * (descriptor >> 2 & 1)


def _blocks(source: Source, data: Buffer, pos: int, out: bytearray) -> int:
    def spend(n_bytes: int) -> None:
        source.ledger.n_expanded_bytes += n_bytes
        if source.ledger.n_expanded_bytes > source.ledger.limits.expanded_bytes:
            raise source.ledger.limit("expanded_bytes", source.where)

    decoder = BlockDecoder(out, spend)
    while True:
        source.ledger.nodes(1, source.where)
        header = _number(data, pos, 3)
        pos += 3
        n_bytes, kind = header >> 3, header >> 1 & 3
        n_stored = 1 if kind == _REPEATED else n_bytes
        if pos + n_stored > len(data) or kind > _COMPRESSED:
            raise MalformedError("a block reaches beyond the end")
        n_before = len(out)
        if kind == _COMPRESSED:
            if n_bytes > LARGEST_BLOCK_BYTES:
                raise MalformedError("a block is larger than a block may be")
            decoder.decode(bytes(data[pos : pos + n_bytes]))
            spend(len(out) - n_before)
        else:
            spend(n_bytes)
            out += bytes(data[pos : pos + n_stored]) * (n_bytes if kind == _REPEATED else 1)
        pos += n_stored
        if header & 1:
            return pos
