"""Tar files in which no byte is free: every header, length and filling is exactly what this module writes.

Ordinary tar programs read them (GNU form of POSIX.1-1988 ustar). Reading compares each header with the one that would
be written for the same name and size, so that a flipped bit anywhere is noticed, not only inside a member.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from redan.core.errors import EvidenceError, SignatureRefused

BLOCK = 512
PIECE_BYTES = 1 << 20
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,30}(/[a-z0-9][a-z0-9_.-]{0,62}){0,2}")
_END = bytes(2 * BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file inside.

    Attributes:
        name: its path, of lower-case letters, digits and ``_.-/``.
        size_bytes: its length.
        pieces: its bytes in order; read once, before the next member is asked for.
    """

    name: str
    size_bytes: int
    pieces: Iterable[bytes]


def packed(members: Iterable[Member]) -> Iterator[bytes]:
    """Return the bytes of an archive.

    Raises:
        EvidenceError: a member has more or fewer bytes than it said.
    """
    for member in members:
        yield _header(member.name, member.size_bytes)
        written = 0
        for piece in member.pieces:
            written += len(piece)
            if written <= member.size_bytes:
                yield piece
        if written != member.size_bytes:
            raise EvidenceError(f"{member.name} has {written} bytes; expected {member.size_bytes}")
        yield bytes(-written % BLOCK)
    yield _END


def unpacked(file: BinaryIO) -> Iterator[Member]:
    """Return the members of an archive in order; a member that is not read to its end is passed over.

    Raises:
        SignatureRefused: a byte outside of the members' contents is not what `packed` writes, or the end is missing.
    """
    place = 0
    while True:
        block = file.read(BLOCK)
        if block == bytes(BLOCK):
            break
        name, size = _read_header(block, place)
        pieces = _content(file, name, size)
        yield Member(name=name, size_bytes=size, pieces=pieces)
        for _ in pieces:
            pass
        filling = -size % BLOCK
        if file.read(filling) != bytes(filling):
            raise SignatureRefused(f"the filling after {name} was changed")
        place += BLOCK + size + filling
    if file.read(BLOCK + 1) != bytes(BLOCK):
        raise SignatureRefused("the archive does not end as it was written: something was cut off or added")


def _content(file: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = file.read(min(left, PIECE_BYTES))
        if not piece:
            raise SignatureRefused(f"the archive ends inside {name}: something was cut off")
        left -= len(piece)
        yield piece


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def _read_header(block: bytes, place: int) -> tuple[str, int]:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        fits = NAME.fullmatch(info.name) is not None and info.size >= 0 and _header(info.name, info.size) == block
    except (tarfile.HeaderError, ValueError):
        fits = False
    if not fits:
        raise SignatureRefused(f"the header at byte {place} of the archive was changed, cut off, or not made by Redan")
    return info.name, info.size
