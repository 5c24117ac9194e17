"""Tar archives, walked block by block. Source: POSIX.1-2017 pax, and GNU tar's long names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers import zips
from redan.kernels.artifacts.readers.archives import read_zip
from redan.kernels.artifacts.readers.paths import escapes, link_escapes

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_BLOCK = 512
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"5", b"6")
"""Links, devices, folders and pipes."""
_SIZE = re.compile(r"[0-9]{1,19}")
_PAX = re.compile(rb"\d+ (path|linkpath|size)=([^\n]*)\n")


class _Header(NamedTuple):
    name: str
    kind: bytes
    target: str
    n_bytes: int


def is_tar(data: Buffer) -> bool:
    """Whether the first block is a tar header with the right checksum."""
    block = bytes(data[:_BLOCK])
    if len(block) < _BLOCK or not any(block):
        return False
    given = _number(block[148:156])
    return given is not None and given == sum(block) - sum(block[148:156]) + 8 * 32


def read_tar(source: Source) -> str:
    """Read a tar archive's members."""
    data = source.data
    pos = 0
    n_members = 0
    extra: dict[str, str] = {}
    inspected: list[tuple[int, int]] = []
    while pos + _BLOCK <= len(data):
        block = bytes(data[pos : pos + _BLOCK])
        pos += _BLOCK
        if not any(block):
            continue
        header = _parse(block)
        if header is None:
            source.unknown("broken-archive", "a tar header is malformed", pos - _BLOCK)
            break
        end = min(pos + header.n_bytes, len(data))
        if header.kind in b"LKxg":
            told = _long_names(header.kind, bytes(data[pos : min(end, pos + (1 << 20))]))
            if header.kind == b"g" and "size" in told:
                source.unknown("ambiguous-archive", "one size is told for all members", pos)
            extra.update(told)
        else:
            n_members += 1
            n_bytes = _n_bytes(source, header, extra, pos)
            end = min(pos + n_bytes, len(data))
            named = _named(header, extra)
            if _read_member(source, named, pos, end):
                inspected.append((pos, end))
            extra = {}
            if named.kind in _WITHOUT_CONTENT and end > pos and is_tar(data[pos : pos + _BLOCK]):
                # Python's tarfile goes on right behind such a header, others behind the content that it claims.
                source.unknown("ambiguous-archive", f"{named.name!r} has no content and claims {n_bytes} bytes", pos)
                end = pos
        pos = -(-end // _BLOCK) * _BLOCK
    if any(not _within(archive, inspected) for archive in zips.spans(data)):
        # Loaders find a zip from its end: this one lies where an archiver that unpacks members does not look.
        read_zip(source)
    if not n_members:
        source.unknown("empty-archive", "the archive has no member that can be read")
    return "tar"


def _parse(block: bytes) -> _Header | None:
    n_bytes = _number(block[124:136])
    if n_bytes is None or n_bytes < 0 or not is_tar(block):
        return None
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:262] == b"ustar" else ""
    return _Header(f"{prefix}/{name}" if prefix else name, block[156:157], _text(block[157:257]), n_bytes)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _number(field: bytes) -> int | None:
    if field[:1] in (b"\x80", b"\xff"):
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return None


def _long_names(kind: bytes, content: bytes) -> dict[str, str]:
    if kind == b"L":
        return {"path": _text(content)}
    if kind == b"K":
        return {"linkpath": _text(content)}
    return {match[1].decode(): match[2].decode("utf-8", "replace") for match in _PAX.finditer(content)}


def _n_bytes(source: Source, header: _Header, extra: dict[str, str], pos: int) -> int:
    """Return how long a member is, by what was told before its header where that is a number."""
    told = extra.get("size", "")
    if _SIZE.fullmatch(told):
        return int(told)
    if told:
        source.unknown("ambiguous-archive", "the size of a member is told by what is no number", pos)
    return header.n_bytes


def _named(header: _Header, extra: dict[str, str]) -> _Header:
    """Return a header with the long names that were told before it; an old one tells a folder by its name alone."""
    name = extra.get("path", header.name)
    kind = b"5" if header.kind == b"\0" and name.endswith("/") else header.kind
    return _Header(name, kind, extra.get("linkpath", header.target), header.n_bytes)


def _within(span: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] < end for start, end in spans)


def _read_member(source: Source, header: _Header, start: int, end: int) -> bool:
    """Judge a member and return whether its content was read as a file of its own."""
    name = header.name
    source.ledger.member(f"{source.where}/{name}" if source.where else name)
    if escapes(name):
        source.unsafe("path-traversal", f"member {name!r} would be written outside the folder it is unpacked into")
    if header.kind in (b"1", b"2"):
        escape = link_escapes(name, header.target) if header.kind == b"2" else escapes(header.target)
        if escape:
            source.unsafe("path-traversal", f"link {name!r} points to {header.target!r}, outside the folder")
        return False
    if header.kind in (b"3", b"4", b"6"):
        source.unsafe("device-member", f"member {name!r} is a device or a pipe")
        return False
    if header.kind == b"S":
        source.unknown("sparse-member", f"member {name!r} is sparse; unpacked it is another file than was read")
    # whatever else a header calls itself, tarfile unpacks it as a file
    if header.kind not in _WITHOUT_CONTENT and end > start:
        try:
            source.descend(bytes(source.data[start:end]), name)
        except LimitReached:
            # The limit is in the ledger; the other members may still be worth reading.
            return True
        return True
    return False
