"""Small request bodies that grow when they are unpacked or parsed, each bounded on both sides of the wire."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

MOST_SENT_BYTES = 1 << 20
"""No body is longer, whatever is asked for."""
MOST_EXPANDED_BYTES = 64 << 20
"""No body becomes larger when it is unpacked, whatever is asked for."""
JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One request body.

    Attributes:
        name: what it tries.
        content: bytes to send.
        headers: content type and coding.
        expands_bytes: size when it is unpacked; its own length where nothing is packed.
    """

    name: str
    content: bytes
    headers: tuple[tuple[str, str], ...]
    expands_bytes: int


def bodies(usual: bytes, *, sent_bytes: int, expanded_bytes: int) -> tuple[Body, ...]:
    """Return the bodies that are tried beside a usual one.

    Args:
        usual: a valid JSON body.
        sent_bytes: most bytes of one body, at most a MiB.
        expanded_bytes: most bytes that one becomes, at most 64 MiB.

    Source: CWE-409 (highly compressed data), CWE-674 (uncontrolled recursion), CWE-1333 and CWE-407 (complexity).
    """
    sent, large = min(sent_bytes, MOST_SENT_BYTES), min(expanded_bytes, MOST_EXPANDED_BYTES)
    padded = usual + b" " * max(0, large - len(usual))
    packed = gzip.compress(padded, mtime=0)
    plain = (("Content-Type", JSON),)
    half = max(1, sent // 2)
    found = [
        Body(name="usual, padded with spaces", content=_within(usual, sent), headers=plain, expands_bytes=sent),
        Body(
            name="gzip",
            content=packed,
            headers=(*plain, ("Content-Encoding", "gzip")),
            expands_bytes=len(padded),
        ),
        Body(name="nested lists", content=b"[" * half + b"]" * half, headers=plain, expands_bytes=sent),
        Body(name="long number", content=b'{"instances": [' + b"9" * sent + b"]}", headers=plain, expands_bytes=sent),
        Body(
            name="many numbers",
            content=b'{"instances": [[' + b"0," * (half - 20) + b"0]]}",
            headers=plain,
            expands_bytes=sent,
        ),
        Body(name="picture", content=_png(large), headers=(("Content-Type", "image/png"),), expands_bytes=large),
        Body(
            name="zipped arrays",
            content=_zip(large),
            headers=(("Content-Type", "application/octet-stream"),),
            expands_bytes=large,
        ),
    ]
    return tuple(body for body in found if len(body.content) <= MOST_SENT_BYTES)


def _within(usual: bytes, size: int) -> bytes:
    return usual + b" " * max(0, size - len(usual))


def _png(size: int) -> bytes:
    """Return a black greyscale PNG whose pixels take ``size`` bytes. Source: PNG (third edition), section 5."""
    side = max(8, int(size**0.5))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes((side + 1) * side), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _zip(size: int) -> bytes:
    """Return an npz file with one array of zeros of ``size`` bytes. Source: NumPy enhancement proposal 1."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(size)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(zipfile.ZipInfo("x.npy"), array, zipfile.ZIP_DEFLATED, 9)
    return held.getvalue()
