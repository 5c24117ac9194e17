"""Compressed streams, expanded within the limit on produced bytes, whatever size they claim."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from redan.kernels.artifacts.readers.lz4 import Lz4Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

CHUNK_BYTES = 1 << 18

HEAD_BYTES = 1 << 16
"""Bytes of the head of a stream: more than the header of an array file takes."""

JUDGED_HEAD_BYTES = 1 << 9
"""So many bytes of the head of a stream, which is not expanded further, count as one judgement."""


class _Decoder(Protocol):
    """One compressed stream's decoder, as `bz2` and `lzma` have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Inflate:
    """zlib's decoder in the shape of `bz2`'s: input that is not used up stays inside."""

    def __init__(self, window_bits: int) -> None:
        self._decoder = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        produced = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self.needs_input = not self._decoder.unconsumed_tail and len(produced) < max_length
        return produced


def _bz2() -> _Decoder:
    import bz2

    return bz2.BZ2Decompressor()


def _lzma(name: str) -> _Decoder:
    import lzma

    formats = {"xz": lzma.FORMAT_XZ, "lzma": lzma.FORMAT_ALONE}
    return lzma.LZMADecompressor(formats[name], memlimit=MOST_LZMA_BYTES)


MOST_LZMA_BYTES = 64 << 20
"""Memory that an lzma dictionary may claim."""

_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "deflate": lambda: _Inflate(-15),
    "zlib": lambda: _Inflate(15),
    "gzip": lambda: _Inflate(31),
    "bz2": _bz2,
    "xz": lambda: _lzma("xz"),
    "lzma": lambda: _lzma("lzma"),
    "lz4": Lz4Decoder,
}

_SINGLE = frozenset({"deflate", "zlib"})

COST = {"bz2": 3, "xz": 2, "lzma": 2, "lz4": 4}
"""What a produced byte counts against the limit; a slow method may produce fewer."""


def pieces(source: Source, stored: Buffer, method: str, most_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Expand `stored` piece by piece, concatenated streams one after the other; a fault is a reason and the end."""
    decoder = _DECODERS[method]()
    pos = 0
    try:
        while pos < len(stored):
            chunk = bytes(stored[pos : pos + CHUNK_BYTES])
            pos += len(chunk)
            yield from _drain(decoder, chunk, most_bytes)
            if decoder.eof:
                pos = _skip_zeros(stored, pos - len(decoder.unused_data))
                if pos < len(stored):
                    if method in _SINGLE:
                        source.unknown("trailing-bytes", f"bytes behind the {method} stream were not read", pos)
                        return
                    decoder = _DECODERS[method]()
    except _errors() as error:
        source.unknown("broken-compression", f"the {method} stream is broken: {error}", pos)
        return
    if not decoder.eof:
        source.unknown("truncated", f"the {method} stream ends early", pos)


def _errors() -> tuple[type[Exception], ...]:
    import lzma

    return (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


def _drain(decoder: _Decoder, chunk: bytes, most_bytes: int) -> Iterator[bytes]:
    while True:
        yield decoder.decompress(chunk, most_bytes)
        chunk = b""
        if decoder.eof or decoder.needs_input:
            return


def _skip_zeros(stored: Buffer, pos: int) -> int:
    while pos < len(stored) and not any(stored[pos : pos + 4096]):
        pos += 4096
    return min(pos, len(stored))


def expand(source: Source, stored: Buffer, method: str) -> Buffer:
    """Expand a whole stream.

    Raises:
        LimitReached: It produces more than is left of `Limits.expanded_bytes`.
    """
    ledger = source.ledger
    cost = COST.get(method, 1)
    out = bytearray()
    for piece in pieces(source, stored, method):
        out += piece
        ledger.n_expanded_bytes += len(piece) * cost
        if ledger.n_expanded_bytes > ledger.limits.expanded_bytes:
            raise ledger.limit("expanded_bytes", source.where)
    return out


def expand_head(source: Source, stored: Buffer, method: str) -> bytes:
    """The first bytes that a stream expands to; at most one piece.

    Raises:
        LimitReached: There are more such heads than `Limits.judged` allows.
    """
    source.ledger.judges(0, source.where)
    for piece in pieces(source.unheard(), stored, method, HEAD_BYTES):
        if piece:
            source.ledger.judges(len(piece) * COST.get(method, 1) // JUDGED_HEAD_BYTES, source.where)
            return piece
    return b""


def read_compressed(source: Source, method: str) -> str:
    """Expand a compressed file and read what it holds."""
    content = expand(source, source.data, method)
    if len(content) == 0:
        source.unknown("empty-archive", f"the {method} stream holds nothing")
        return method
    inner = source.descend(content, method)
    return inner if inner == "joblib" else method
