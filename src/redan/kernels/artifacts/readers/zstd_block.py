"""Compressed blocks of Zstandard: literals, and sequences that copy them and what came before.

Source: RFC 8878, section 3.1.1.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.readers.fse import (
    BackwardBits,
    Cell,
    MalformedError,
    PrefixTable,
    build_table,
    decode_prefixes,
    read_prefix_table,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_BLOCK_BYTES = 128 << 10

LITERAL_COST = 64
"""What a byte in a Huffman code counts against the limit on produced bytes, by the time that it takes."""

SEQUENCE_COST = 640
"""What a sequence counts."""


class _Kind(NamedTuple):
    """A field of a sequence: its finest table, its number of codes, and the counts when none is given."""

    log: int
    n_codes: int
    default_log: int
    default: list[int]


_LENGTHS = _Kind(9, 36, 6, [4, 3, *[2] * 11, 1, 1, 1, *[2] * 9, 3, 2, *[1] * 5, *[-1] * 4])
_OFFSETS = _Kind(8, 32, 5, [*[1] * 6, 2, 2, 2, *[1] * 15, *[-1] * 5])
_MATCHES = _Kind(9, 53, 6, [1, 4, 3, *[2] * 6, *[1] * 37, *[-1] * 7])

_LENGTH_BITS = [0] * 16 + [1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17)]
_MATCH_BITS = [0] * 32 + [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17)]


def _bases(first: int, widths: list[int]) -> list[int]:
    bases = []
    for width in widths:
        bases.append(first)
        first += 1 << width
    return bases


_LENGTH_BASES = _bases(0, _LENGTH_BITS)
_MATCH_BASES = _bases(3, _MATCH_BITS)


class BlockDecoder:
    """What the blocks of one frame share: codes that are used again, and the last three offsets."""

    def __init__(self, out: bytearray, spend: Callable[[int], None]) -> None:
        self.out = out
        self.start = len(out)
        self._spend = spend
        self._prefixes: PrefixTable | None = None
        self._tables: list[tuple[list[Cell], int] | None] = [None, None, None]
        self._offsets = [1, 4, 8]

    def decode(self, block: bytes) -> None:
        """Append what a block stands for.

        Raises:
            MalformedError: It is none.
            LimitReached: It takes more than may be spent.
        """
        literals, pos = self._literals(block)
        n, pos = _n_sequences(block, pos)
        if n == 0:
            if pos != len(block):
                raise MalformedError("a block without sequences goes on")
            self.out += literals
            return
        self._spend(n * SEQUENCE_COST)
        pos = self._read_tables(block, pos)
        self._run(BackwardBits(block[pos:]), n, literals)

    def _literals(self, block: bytes) -> tuple[bytes, int]:
        head = int.from_bytes(block[:5], "little")
        kind, form = head & 3, head >> 2 & 3
        if kind < 2:
            n_head = (1, 2, 1, 3)[form]
            n = (head & (1 << 8 * n_head) - 1) >> (3 if n_head == 1 else 4)
            stored = block[n_head : n_head + (n if kind == 0 else 1)]
            if n > LARGEST_BLOCK_BYTES or len(stored) < (n if kind == 0 else 1):
                raise MalformedError("literals end early")
            return (stored if kind == 0 else stored * n), n_head + len(stored)
        width = (10, 10, 14, 18)[form]
        n_head = (3, 3, 4, 5)[form]
        n = head >> 4 & (1 << width) - 1
        n_stored = head >> (4 + width) & (1 << width) - 1
        end = n_head + n_stored
        if n > LARGEST_BLOCK_BYTES or end > len(block):
            raise MalformedError("literals end early")
        self._spend(n * LITERAL_COST)
        return self._coded(block[n_head:end], n, has_code=kind == 2, n_streams=4 if form else 1), end

    def _coded(self, data: bytes, n: int, *, has_code: bool, n_streams: int) -> bytes:
        if has_code:
            self._prefixes, n_bytes = read_prefix_table(data)
            data = data[n_bytes:]
        if self._prefixes is None:
            raise MalformedError("literals use a Huffman code that was never given")
        if n_streams == 1:
            return decode_prefixes(self._prefixes, data, n)
        sizes = [int.from_bytes(data[i : i + 2], "little") for i in (0, 2, 4)]
        each = (n + 3) // 4
        if len(data) < 6 + sum(sizes) or 3 * each > n:
            raise MalformedError("literals end early")
        pos = 6
        parts = []
        for size in sizes:
            parts.append(decode_prefixes(self._prefixes, data[pos : pos + size], each))
            pos += size
        parts.append(decode_prefixes(self._prefixes, data[pos:], n - 3 * each))
        return b"".join(parts)

    def _read_tables(self, block: bytes, pos: int) -> int:
        if pos >= len(block) or block[pos] & 3:
            raise MalformedError("the modes of sequences are strange")
        modes = block[pos]
        pos += 1
        for i, kind in enumerate((_LENGTHS, _OFFSETS, _MATCHES)):
            mode = modes >> (6 - 2 * i) & 3
            if mode == 0:
                self._tables[i] = build_table(kind.default, kind.default_log), kind.default_log
            elif mode == 1:
                if pos >= len(block) or block[pos] >= kind.n_codes:
                    raise MalformedError("a code of sequences is unknown")
                self._tables[i] = [Cell(block[pos], 0, 0)], 0
                pos += 1
            elif mode == 2:
                table, log, n_bytes = read_table(block[pos:], kind.log, kind.n_codes)
                self._tables[i] = table, log
                pos += n_bytes
        return pos

    def _run(self, bits: BackwardBits, n: int, literals: bytes) -> None:
        if None in self._tables:
            raise MalformedError("sequences use a table that was never given")
        (lengths, length_log), (offsets, offset_log), (matches, match_log) = (t for t in self._tables if t)
        read, out = bits.read, self.out
        length_at, offset_at, match_at = read(length_log), read(offset_log), read(match_log)
        used = 0
        end = len(out) + LARGEST_BLOCK_BYTES
        for i in range(n):
            length_cell, offset_cell, match_cell = lengths[length_at], offsets[offset_at], matches[match_at]
            code = (1 << offset_cell.symbol) + read(offset_cell.symbol)
            n_match = _MATCH_BASES[match_cell.symbol] + read(_MATCH_BITS[match_cell.symbol])
            n_literals = _LENGTH_BASES[length_cell.symbol] + read(_LENGTH_BITS[length_cell.symbol])
            if i < n - 1:
                length_at = length_cell.base + read(length_cell.n_bits)
                match_at = match_cell.base + read(match_cell.n_bits)
                offset_at = offset_cell.base + read(offset_cell.n_bits)
            offset = self._offset(code, n_literals)
            out += literals[used : used + n_literals]
            used += n_literals
            if used > len(literals) or not 0 < offset <= len(out) - self.start or len(out) + n_match > end:
                raise MalformedError("a sequence copies what is not there")
            _copy(out, offset, n_match)
        out += literals[used:]
        if bits.n_left or len(out) > end:
            raise MalformedError("sequences have another length than their bits")

    def _offset(self, code: int, n_literals: int) -> int:
        """The distance that a code stands for: a new one, or one of the last three."""
        last = self._offsets
        if code > 3:
            self._offsets = [code - 3, last[0], last[1]]
            return code - 3
        i = code - 1 + (n_literals == 0)
        if i == 0:
            return last[0]
        offset = last[0] - 1 if i == 3 else last[i]
        self._offsets = [offset, last[0], last[2] if i == 1 else last[1]]
        return offset


def _n_sequences(block: bytes, pos: int) -> tuple[int, int]:
    head = block[pos : pos + 3]
    if not head:
        raise MalformedError("a block has no sequences")
    if head[0] < 128:
        return head[0], pos + 1
    if len(head) < 2 or (head[0] == 255 and len(head) < 3):
        raise MalformedError("a block ends early")
    if head[0] < 255:
        return ((head[0] - 128) << 8) + head[1], pos + 2
    return head[1] + (head[2] << 8) + 0x7F00, pos + 3


def _copy(out: bytearray, offset: int, n: int) -> None:
    start = len(out) - offset
    if offset >= n:
        out += out[start : start + n]
    else:
        out += (out[start:] * (n // offset + 1))[:n]
