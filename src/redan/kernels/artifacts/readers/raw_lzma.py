"""LZMA streams without a header of their own, as zip archives and 7z archives store them.

Source: PKWARE APPNOTE 6.3.10, section 5.8; lzma-specification.txt of the LZMA SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

LARGEST_DICTIONARY_BYTES = 64 << 20
"""Memory that a stream's dictionary may claim."""

CHUNK_BYTES = 1 << 18
COST = 2
"""What a produced byte counts against the limit."""


def lzma1(properties: bytes) -> dict[str, int] | None:
    """The filter that five bytes of LZMA properties describe; None where they cannot be or ask for too much memory."""
    import lzma

    if len(properties) != 5 or properties[0] >= 9 * 5 * 5:
        return None
    packed, dictionary = properties[0], int.from_bytes(properties[1:], "little")
    lc, lp, pb = packed % 9, packed // 9 % 5, packed // 45
    if lc + lp > 4 or dictionary > LARGEST_DICTIONARY_BYTES:
        return None
    return {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": lc, "lp": lp, "pb": pb}


def lzma2(properties: bytes) -> dict[str, int] | None:
    """The filter that one byte of LZMA2 properties describes; None where it cannot be or asks for too much memory."""
    import lzma

    if len(properties) != 1 or properties[0] > 40:
        return None
    dictionary = (2 | properties[0] & 1) << (properties[0] // 2 + 11) if properties[0] < 40 else 0xFFFFFFFF
    return {"id": lzma.FILTER_LZMA2, "dict_size": dictionary} if dictionary <= LARGEST_DICTIONARY_BYTES else None


def expand_raw(source: Source, stored: Buffer, filters: list[dict[str, int]], n_bytes: int) -> bytearray:
    """Expand a raw stream to its end; a fault is a reason and the end.

    Args:
        source: Where it lies.
        stored: The stream.
        filters: How it is coded, as `lzma` takes it.
        n_bytes: How much it should give; a stream may have no mark at its end.

    Raises:
        LimitReached: It produces more than is left of `Limits.expanded_bytes`.
    """
    import lzma

    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    out = bytearray()
    pos = 0
    try:
        while not decoder.eof and (pos < len(stored) or not decoder.needs_input):
            chunk = bytes(stored[pos : pos + CHUNK_BYTES]) if decoder.needs_input else b""
            pos += len(chunk)
            piece = decoder.decompress(chunk, CHUNK_BYTES)
            out += piece
            source.ledger.n_expanded_bytes += len(piece) * COST
            if source.ledger.n_expanded_bytes > source.ledger.limits.expanded_bytes:
                raise source.ledger.limit("expanded_bytes", source.where)
    except (lzma.LZMAError, EOFError, ValueError) as error:
        source.unknown("broken-compression", f"the lzma stream is broken: {error}", pos)
        return out
    if not decoder.eof and len(out) != n_bytes:
        source.unknown("truncated", "the lzma stream ends early", pos)
    return out


def expand_zip_member(source: Source, stored: Buffer, n_bytes: int) -> bytearray:
    """Expand a member that a zip archive stores by method 14: a version, the properties' length, the properties.

    Raises:
        LimitReached: It produces more than is left of `Limits.expanded_bytes`.
    """
    n_properties = int.from_bytes(bytes(stored[2:4]), "little")
    coder = lzma1(bytes(stored[4 : 4 + n_properties]))
    if coder is None:
        source.unknown("unread-compression", "the lzma properties of a member cannot be used")
        return bytearray()
    return expand_raw(source, stored[4 + n_properties :], [coder], n_bytes)
