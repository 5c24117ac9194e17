"""The write-ahead log: entries become durable here, one group a sync, before anything is said about them.

A segment is a file named by the index of its first entry. It begins with a header that holds a random marker; then
follow frames, one a group::

    header  magic 8 bytes  first u64  marker 8 bytes  crc32 of these
    frame   marker 8 bytes  first u64  count u32  length u32  crc32 of these and the payload  payload (a bundle)

The writer syncs each frame before it writes the next, so at most the last frame can be torn, and it was never
acknowledged. A bad frame with a good one after it is therefore damage and no accident of a crash; since an entry's
author cannot know the marker, no entry can look like a frame.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from redan.core.errors import EvidenceError
from redan.evidence.log.disk import Disk
from redan.kernels.merkle import tiles

MOST_IN_GROUP = 1000
GROUP_BYTES = 4 << 20
SEGMENT_BYTES = 16 << 20
MOST_WAL_BYTES = 256 << 20
_MAGIC = b"RDNWAL1\n"
_HEADER = struct.Struct(">8sQ8sI")
_FRAME = struct.Struct(">8sQIII")
_FRAME_START = struct.Struct(">8sQII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What was found in one file.

    Attributes:
        path: of the file.
        first: index of the first entry.
        groups: the entries, group by group.
        good_bytes: length up to the end of the last good frame; 0 when not even the header is whole.
        size_bytes: length of the file.
        damaged: a good frame follows a bad one, or the header of a file with frames is bad.
    """

    path: Path
    first: int
    groups: tuple[tuple[bytes, ...], ...]
    good_bytes: int
    size_bytes: int
    damaged: bool

    @property
    def end(self) -> int:
        """Index after the last good entry."""
        return self.first + sum(map(len, self.groups))

    @property
    def torn(self) -> bool:
        """Whether the file holds more than its good frames."""
        return self.size_bytes > self.good_bytes


def _name(first: int) -> str:
    return f"{first:020d}.wal"


def _read(path: Path) -> Segment:
    first = int(path.stem)
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size_bytes else b""
    head = bytes(data[: _HEADER.size])
    if len(head) < _HEADER.size or head[:16] != _MAGIC + first.to_bytes(8, "big") or _crc(head) != crc32(head[:-4]):
        damaged = size_bytes > _HEADER.size
        return Segment(path=path, first=first, groups=(), good_bytes=0, size_bytes=size_bytes, damaged=damaged)
    marker = head[16:24]
    groups, at, index = [], _HEADER.size, first
    while (found := _frame(data, at, marker, index)) is not None:
        group, at = found
        groups.append(group)
        index += len(group)
    later = any(_frame(data, i, marker, None) for i in _places(data, marker, at + 1)) if at < size_bytes else False
    return Segment(path=path, first=first, groups=tuple(groups), good_bytes=at, size_bytes=size_bytes, damaged=later)


def _crc(head: bytes) -> int:
    return int.from_bytes(head[-4:], "big")


def _places(data: bytes | mmap.mmap, marker: bytes, start: int) -> Iterator[int]:
    while (start := data.find(marker, start)) >= 0:
        yield start
        start += 1


def _frame(data: bytes | mmap.mmap, at: int, marker: bytes, index: int | None) -> tuple[tuple[bytes, ...], int] | None:
    """Read the frame at a place: its entries and where it ends; None unless it is whole (and begins at ``index``)."""
    start = at + _FRAME.size
    head = data[at:start]
    if len(head) < _FRAME.size:
        return None
    mark, first, count, length, crc = _FRAME.unpack(head)
    if mark != marker or index not in {None, first} or length > GROUP_BYTES + MOST_IN_GROUP * 2 + 0xFFFF:
        return None
    payload = data[start : start + length]
    if len(payload) != length or crc32(payload, crc32(head[:-4])) != crc:
        return None
    try:
        entries = tuple(tiles.entries(payload))
    except ValueError:
        return None
    return (entries, start + length) if 0 < len(entries) == count else None


def segments(folder: Path) -> list[Segment]:
    """Read every segment of a folder, in order, and change nothing.

    Raises:
        EvidenceError: they are larger than a log ever lets them become.
        OSError: a file cannot be read.
    """
    paths = [p for p in sorted(folder.glob("*.wal")) if re.fullmatch(r"[0-9]{20}", p.stem) and p.is_file()]
    if (n_bytes := sum(p.stat().st_size for p in paths)) > MOST_WAL_BYTES:
        raise EvidenceError(f"the write-ahead log has {n_bytes} bytes; a log keeps at most {MOST_WAL_BYTES}")
    return [_read(p) for p in paths]


def faults(found: list[Segment]) -> list[str]:
    """Say what a crash cannot have done to these segments; empty when everything can be recovered."""
    said = []
    for place, segment in enumerate(found):
        last = place == len(found) - 1
        name = f"wal/{segment.path.name}"
        if segment.damaged or (segment.torn and not last):
            said.append(f"{name} is damaged at entry {segment.end}: bytes were changed after they were written")
        elif not last and found[place + 1].first != segment.end:
            following = found[place + 1].first
            said.append(f"{name} ends before entry {segment.end}, but the next file begins with entry {following}")
    return said


def recover(folder: Path, disk: Disk) -> list[Segment]:
    """Read the segments and cut off a torn tail, which nobody was told about.

    Raises:
        EvidenceError: the damage is not what a crash does.
        OSError: a file cannot be read or cut.
    """
    found = segments(folder)
    if said := faults(found):
        raise EvidenceError(said[0], hint="redan log verify says what is left; restore the folder from a backup")
    last = found[-1] if found else None
    if last is None or (last.groups and not last.torn):
        return found
    if not last.groups:
        disk.remove(last.path)
        disk.sync_folder(folder)
        return found[:-1]
    handle = disk.reopen(last.path)
    try:
        disk.truncate(handle, last.good_bytes)
        disk.sync(handle)
    finally:
        disk.close(handle)
    return found


class Wal:
    """The writing end. One thread commits; another may retire what has been published.

    Args:
        folder: where segments lie.
        disk: the file system.
        first: index of the next entry.
        old: segments of an earlier run, to be retired once a checkpoint covers them.
    """

    __slots__ = ("_disk", "_ended", "_folder", "_good_bytes", "_handle", "_marker", "_path", "size")

    def __init__(self, folder: Path, disk: Disk, first: int, old: list[Segment]) -> None:
        self.size = first
        self._folder = folder
        self._disk = disk
        self._ended: deque[tuple[Path, int]] = deque((s.path, s.end) for s in old)
        self._handle: int | None = None
        self._path = folder
        self._good_bytes = 0
        self._marker = b""

    def commit(self, entries: list[bytes]) -> None:
        """Write one group and return when it is durable.

        Raises:
            OSError: it is not; `undo` tells whether the log can go on.
        """
        if self._handle is None or self._good_bytes >= SEGMENT_BYTES:
            self._begin()
        assert self._handle is not None
        payload = tiles.bundle(entries)
        start = _FRAME_START.pack(self._marker, self.size, len(entries), len(payload))
        frame = b"".join((start, crc32(payload, crc32(start)).to_bytes(4, "big"), payload))
        self._disk.append(self._handle, frame)
        self._disk.sync(self._handle)
        self._good_bytes += len(frame)
        self.size += len(entries)

    def undo(self) -> None:
        """Cut off a group that could not be written.

        Raises:
            OSError: that fails too, so that nobody knows what the file holds.
        """
        if self._handle is not None:
            self._disk.truncate(self._handle, self._good_bytes)

    def _begin(self) -> None:
        self.end()
        path = self._folder / _name(self.size)
        marker = os.urandom(8)
        head = _MAGIC + self.size.to_bytes(8, "big") + marker
        if path.exists():  # a header that a full disk left behind holds no entry
            self._disk.remove(path)
        handle = self._disk.create(path)
        try:
            self._disk.append(handle, head + crc32(head).to_bytes(4, "big"))
            self._disk.sync(handle)
            self._disk.sync_folder(self._folder)
        except OSError:
            self._disk.close(handle)
            raise
        self._handle, self._path, self._marker, self._good_bytes = handle, path, marker, _HEADER.size

    def end(self) -> None:
        """Close the current segment, so that it can be retired."""
        if self._handle is not None:
            self._disk.close(self._handle)
            self._ended.append((self._path, self.size))
            self._handle = None

    def retire(self, size: int) -> None:
        """Remove ended segments whose entries all lie below ``size``, oldest first, so that no gap can appear.

        Raises:
            OSError: a file cannot be removed.
        """
        while self._ended and self._ended[0][1] <= size:
            path, _ = self._ended[0]
            self._disk.remove(path)
            self._disk.sync_folder(self._folder)
            self._ended.popleft()
