"""Finite-state entropy and prefix codes of Zstandard, and the bits that they are read from.

Source: RFC 8878, sections 4.1 (FSE) and 4.2 (Huffman coding).
"""

from __future__ import annotations

from typing import NamedTuple

LARGEST_PREFIX_BITS = 11
LARGEST_WEIGHT_LOG = 6
_REFILL_BYTES = 48


class MalformedError(ValueError):
    """A structure that is not where or what the file says."""


class Cell(NamedTuple):
    """One state of a decoding table: its symbol, and how the next state is read."""

    symbol: int
    n_bits: int
    base: int


class BackwardBits:
    """Bits that are read from the last byte to the first; the highest set bit of the last byte only marks the end.

    Attributes:
        n_left: Bits that are not read yet; below zero where more were asked for than there were, which read as zeros.
    """

    __slots__ = ("_held", "_n_held", "_next", "_stream", "n_left")

    def __init__(self, stream: bytes) -> None:
        if not stream or not stream[-1]:
            raise MalformedError("a bit stream has no end mark")
        self._stream = stream
        self._held = stream[-1]
        self._n_held = stream[-1].bit_length() - 1
        self._next = len(stream) - 1
        self.n_left = 8 * self._next + self._n_held

    def peek(self, n: int) -> int:
        """The next `n` bits, which stay unread."""
        while self._n_held < n:
            start = max(0, self._next - _REFILL_BYTES)
            n_new = 8 * (self._next - start) or n
            held = self._held & ((1 << max(self._n_held, 0)) - 1)
            self._held = held << n_new | int.from_bytes(self._stream[start : self._next], "little")
            self._n_held += n_new
            self._next = start
        return self._held >> (self._n_held - n) & ((1 << n) - 1)

    def skip(self, n: int) -> None:
        """Pass `n` bits that were peeked at."""
        self._n_held -= n
        self.n_left -= n

    def read(self, n: int) -> int:
        """The next `n` bits."""
        if not n:
            return 0
        value = self.peek(n)
        self._n_held -= n
        self.n_left -= n
        return value


def read_table(data: bytes, largest_log: int, n_symbols: int) -> tuple[list[Cell], int, int]:
    """Read the description of a table: the table, its accuracy in bits, and the bytes of the description.

    Raises:
        MalformedError: It is none, is finer than `largest_log` bits, or has more than `n_symbols` symbols.
    """
    bits = int.from_bytes(data[:512], "little")
    log = (bits & 15) + 5
    if log > largest_log:
        raise MalformedError("a table is too fine")
    pos = 4
    left = 1 << log
    counts: list[int] = []
    while left > 0 and len(counts) <= n_symbols:
        width = (left + 1).bit_length()
        value = bits >> pos & ((1 << width) - 1)
        pos += width
        low = (1 << (width - 1)) - 1
        n_short = (1 << width) - 2 - left
        if value & low < n_short:
            pos -= 1
            value &= low
        elif value > low:
            value -= n_short
        counts.append(value - 1)
        left -= abs(value - 1)
        while value == 1:
            n_zeros = bits >> pos & 3
            pos += 2
            counts += [0] * n_zeros
            if n_zeros != 3 or len(counts) > n_symbols:
                break
    n_bytes = (pos + 7) // 8
    if left or len(counts) > n_symbols or n_bytes > len(data):
        raise MalformedError("a table's counts do not add up")
    return build_table(counts, log), log, n_bytes


def build_table(counts: list[int], log: int) -> list[Cell]:
    """The decoding table of symbols that occur so often; -1 stands for less than once."""
    size = 1 << log
    symbols = [0] * size
    end = size
    for symbol, count in enumerate(counts):
        if count == -1:
            end -= 1
            symbols[end] = symbol
    at = 0
    for symbol, count in enumerate(counts):
        for _ in range(count):
            symbols[at] = symbol
            at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1)
            while at >= end:
                at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1)
    seen = [abs(count) for count in counts]
    cells = []
    for symbol in symbols:
        n_bits = log + 1 - seen[symbol].bit_length()
        cells.append(Cell(symbol, n_bits, (seen[symbol] << n_bits) - size))
        seen[symbol] += 1
    return cells


class PrefixTable(NamedTuple):
    """A Huffman code: for each string of `n_bits` bits the byte that it begins with and how many of them it takes."""

    n_bits: int
    symbols: bytes
    widths: bytes


def read_prefix_table(data: bytes) -> tuple[PrefixTable, int]:
    """Read the description of a Huffman code: the code, and the bytes of the description.

    Raises:
        MalformedError: It is none.
    """
    if not data:
        raise MalformedError("a Huffman code is missing")
    head = data[0]
    if head >= 128:
        n_weights = head - 127
        n_bytes = 1 + (n_weights + 1) // 2
        nibbles = [part for byte in data[1:n_bytes] for part in (byte >> 4, byte & 15)]
        weights = nibbles[:n_weights]
    else:
        n_bytes = 1 + head
        weights = _packed_weights(data[1:n_bytes])
    if n_bytes > len(data):
        raise MalformedError("a Huffman code ends early")
    return _prefix_table(weights), n_bytes


def _packed_weights(data: bytes) -> list[int]:
    table, log, n_bytes = read_table(data, LARGEST_WEIGHT_LOG, 256)
    bits = BackwardBits(data[n_bytes:])
    states = [bits.read(log), bits.read(log)]
    weights: list[int] = []
    turn = 0
    while len(weights) < 255:
        cell = table[states[turn]]
        weights.append(cell.symbol)
        states[turn] = cell.base + bits.read(cell.n_bits)
        turn ^= 1
        if bits.n_left < 0:
            weights.append(table[states[turn]].symbol)
            break
    return weights


def _prefix_table(weights: list[int]) -> PrefixTable:
    total = sum(1 << (weight - 1) for weight in weights if weight)
    n_bits = total.bit_length()
    left = (1 << n_bits) - total
    if not total or n_bits > LARGEST_PREFIX_BITS or left & (left - 1) or len(weights) > 255:
        raise MalformedError("a Huffman code does not add up")
    complete = [*weights, left.bit_length()]
    symbols, widths = bytearray(), bytearray()
    for weight in range(1, n_bits + 1):
        n_cells = 1 << (weight - 1)
        for symbol, own in enumerate(complete):
            if own == weight:
                symbols += bytes([symbol]) * n_cells
                widths += bytes([n_bits + 1 - weight]) * n_cells
    if len(symbols) != 1 << n_bits:
        raise MalformedError("a Huffman code does not add up")
    return PrefixTable(n_bits, bytes(symbols), bytes(widths))


def decode_prefixes(table: PrefixTable, stream: bytes, n_symbols: int) -> bytes:
    """The `n_symbols` bytes that a stream holds.

    Raises:
        MalformedError: It holds more or fewer.
    """
    if not stream or not stream[-1]:
        raise MalformedError("a bit stream has no end mark")
    n_bits, symbols, widths = table
    mask = (1 << n_bits) - 1
    held = stream[-1] & ((1 << (stream[-1].bit_length() - 1)) - 1)
    n_held = stream[-1].bit_length() - 1
    at = len(stream) - 1
    n_padding = 0
    out = bytearray(n_symbols)
    for i in range(n_symbols):
        if n_held < n_bits:
            start = max(0, at - _REFILL_BYTES)
            n_new = 8 * (at - start)
            held = (held & ((1 << n_held) - 1)) << n_new | int.from_bytes(stream[start:at], "little")
            at = start
            n_held += n_new
            if n_held < n_bits:
                held <<= n_bits
                n_held += n_bits
                n_padding += n_bits
        code = held >> (n_held - n_bits) & mask
        out[i] = symbols[code]
        n_held -= widths[code]
    if at or n_held != n_padding:
        raise MalformedError("a bit stream has another length than its symbols")
    return bytes(out)
