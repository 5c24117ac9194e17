"""Zip archives, read by their central directory and by their local headers at once.

Readers differ in which of the two they believe, in whether they mind flags, checksums and names, and in where they look
for the end record. So everything that any of them would see is read: all end records near the end, the zip64 records
that torch writes, and local headers that no directory names. Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"
_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"

_CENTRAL_HEADER = Struct("<4s4xHHHHIIIHHHHHII").unpack_from
_LOCAL_HEADER = Struct("<4sHHHHHIIIHH").unpack_from
_END_RECORD = Struct("<4sHHHHIIH").unpack_from
_END64_RECORD = Struct("<4sQHHIIQQQQ").unpack_from

FARTHEST_END = 66_000
"""Bytes from the end in which an end record may stand."""

MOST_LISTED = 65_536
"""Entries of a directory by which `spans` tells where an archive begins."""

MOST_ENDS = 8
"""End records that are looked at, from the last one on."""

METHODS = {0: "", 8: "deflate", 12: "bz2", 14: "lzma", 20: "zstd", 93: "zstd"}
"""How members may be stored; another method is reported as unread."""


class Member(NamedTuple):
    """One entry: its names, how it is stored and where its bytes lie."""

    name: str
    local_name: str
    method: int
    start: int
    n_stored_bytes: int
    n_bytes: int
    is_encrypted: bool


class Directory(NamedTuple):
    """The members of an archive, in file order, and the offset at which the archive begins."""

    members: list[Member]
    start: int


def has_end_record(data: Buffer) -> bool:
    """Whether a zip's end record stands near the end."""
    return data.rfind(_END, max(0, len(data) - FARTHEST_END)) >= 0


def spans(data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield where each archive that can be found from the end begins, 0 where that is not told, and has its end."""
    at = len(data)
    for _ in range(MOST_ENDS):
        at = data.rfind(_END, max(0, len(data) - FARTHEST_END), at)
        if at < 0:
            return
        if at + 22 > len(data):
            continue
        first, offset, _ = _first(data, at)
        start, pos, n = first, first, 0
        while pos >= 0 and pos + 46 <= at and data[pos : pos + 4] == _CENTRAL:
            *_, n_name, n_extra, n_comment, _, _, _, header = _CENTRAL_HEADER(data, pos)
            start = min(start, header + first - offset) if header < 0xFFFFFFFF else 0
            pos += 46 + n_name + n_extra + n_comment
            n += 1
            if n == MOST_LISTED:
                start = 0
                break
        if pos > first:
            yield start, at


def read_directory(source: Source) -> Directory:
    """Every member that any directory or local header of the archive names."""
    data = source.data
    found: dict[int, Member] = {}
    starts: list[int] = []
    at = len(data)
    for _ in range(MOST_ENDS):
        at = data.rfind(_END, max(0, len(data) - FARTHEST_END), at)
        if at < 0:
            break
        if any(m.start <= at < m.start + m.n_stored_bytes for m in found.values()):
            # An archive within a member has an end record of its own; it is read with the member.
            continue
        for member, header in _central(source, at):
            starts.append(header)
            known = found.setdefault(member.start, member)
            if known.name != member.name:
                source.unsafe(
                    "ambiguous-archive", f"two directories name one member {known.name!r} and {member.name!r}"
                )
    for member, header in _locals(source, min(starts, default=0)):
        if member.start not in found:
            found[member.start] = member
            starts.append(header)
            source.unknown("hidden-member", f"{member.name!r} stands in the archive but not in its directory", header)
    return Directory([found[key] for key in sorted(found)], min(starts, default=0))


def _central(source: Source, end: int) -> Iterator[tuple[Member, int]]:
    data = source.data
    if end + 22 > len(data):
        return
    first, offset, count = _first(data, end)
    shift = first - offset
    n = 0
    pos = first
    while pos >= 0 and pos + 46 <= end and data[pos : pos + 4] == _CENTRAL:
        member, header, pos = _entry(source, pos, shift)
        source.ledger.nodes(2, source.where)
        if member is not None:
            yield member, header
        n += 1
    if n != count and not (n and count == 0xFFFF):
        source.unknown("broken-archive", f"the directory counts {count} members and lists {n}", end)


def _first(data: Buffer, end: int) -> tuple[int, int, int]:
    """Return where the directory of an end record begins, where it says that it begins, and how much it lists."""
    _, _, _, _, count, n_bytes, offset, _ = _END_RECORD(data, end)
    first = end - n_bytes
    if data[end - 20 : end - 16] == _LOCATOR64 and end >= 76:
        end64 = data.rfind(_END64, max(0, end - 4096), end - 20)
        if end64 >= 0:
            record = _END64_RECORD(data, end64)
            count, n_bytes, offset = record[7], record[8], record[9]
            first = end64 - n_bytes
    if first < 0 or data[first : first + 4] != _CENTRAL:
        first = offset
    return first, offset, count


def _entry(source: Source, pos: int, shift: int) -> tuple[Member | None, int, int]:
    data = source.data
    _, flags, method, _, _, _, n_stored, n_bytes, n_name, n_extra, n_comment, _, _, _, header = _CENTRAL_HEADER(
        data, pos
    )
    name_at = pos + 46
    name = bytes(data[name_at : name_at + n_name])
    extra = bytes(data[name_at + n_name : name_at + n_name + n_extra])
    n_bytes, n_stored, header = _zip64(extra, [n_bytes, n_stored, header])
    header += shift
    after = name_at + n_name + n_extra + n_comment
    text = _decode(name, flags)
    if header < 0 or header + 30 > len(data):
        source.unknown("broken-archive", f"{text!r} points outside the archive", pos)
        return None, 0, after
    magic, _, local_flags, local_method, *_, n_local_name, n_local_extra = _LOCAL_HEADER(data, header)
    if magic != _LOCAL:
        source.unknown("broken-archive", f"{text!r} has no local header", header)
        return None, 0, after
    local_name = bytes(data[header + 30 : header + 30 + n_local_name])
    start = header + 30 + n_local_name + n_local_extra
    if local_method != method:
        source.unknown("ambiguous-archive", f"{text!r} is stored in two ways at once", header)
    member = Member(
        text, _decode(local_name, local_flags), method, start, n_stored, n_bytes, bool(flags & local_flags & 1)
    )
    return member, header, after


def _zip64(extra: bytes, sizes: list[int]) -> tuple[int, int, int]:
    """Replace the sizes that do not fit in 32 bits by those of the zip64 extra field."""
    pos = 0
    while pos + 4 <= len(extra):
        tag = int.from_bytes(extra[pos : pos + 2], "little")
        n_bytes = int.from_bytes(extra[pos + 2 : pos + 4], "little")
        if tag == 1:
            at = pos + 4
            for i, size in enumerate(sizes):
                if size == 0xFFFFFFFF and at + 8 <= len(extra):
                    sizes[i] = int.from_bytes(extra[at : at + 8], "little")
                    at += 8
        pos += 4 + n_bytes
    return sizes[0], sizes[1], sizes[2]


def _locals(source: Source, pos: int) -> Iterator[tuple[Member, int]]:
    """Walk the local headers one after the other, as a streaming reader does, for as long as they tell their size."""
    data = source.data
    while pos + 30 <= len(data) and data[pos : pos + 4] == _LOCAL:
        _, _, flags, method, _, _, _, n_stored, n_bytes, n_name, n_extra = _LOCAL_HEADER(data, pos)
        name = bytes(data[pos + 30 : pos + 30 + n_name])
        extra = bytes(data[pos + 30 + n_name : pos + 30 + n_name + n_extra])
        n_bytes, n_stored, _ = _zip64(extra, [n_bytes, n_stored, 0])
        start = pos + 30 + n_name + n_extra
        text = _decode(name, flags)
        if flags & 8 and n_stored == 0:
            return
        yield Member(text, text, method, start, n_stored, n_bytes, bool(flags & 1)), pos
        source.ledger.nodes(1, source.where)
        pos = start + n_stored


def _decode(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & 0x800 else "cp437", "replace") if not name.isascii() else name.decode()
