"""7z archives: names and members, as far as the standard library can expand them. Source: 7zFormat.txt, LZMA SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.readers.compressed import expand
from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.raw_lzma import expand_raw, lzma1, lzma2

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.source import Source

_HEAD_BYTES = 32
_END, _HEADER, _STREAMS, _FILES, _PACKED, _FOLDERS, _PARTS = 0, 1, 4, 5, 6, 7, 8
_SIZES, _DIGESTS, _FOLDER, _FOLDER_SIZES, _COUNTS = 9, 10, 11, 12, 13
_EMPTY, _NAMES, _ENCODED = 14, 17, 23
_COPY, _LZMA, _LZMA2, _DEFLATE, _BZIP2 = b"\0", b"\3\1\1", b"\x21", b"\4\1\x08", b"\4\2\2"
_BRANCH = {b"\3\3\1\3": "FILTER_X86", b"\4": "FILTER_X86", b"\x07": "FILTER_ARM", b"\3\3\5\1": "FILTER_ARM"}
_DELTA = b"\3"
MOST_CODERS = 4
DEEPEST_HEADER = 4


class _MalformedError(ValueError):
    """A structure that is not where or what the file says."""


class _Coder(NamedTuple):
    method: bytes
    properties: bytes


class _Folder(NamedTuple):
    """One solid block: the methods that expand it, in the order of decoding from the last to the first."""

    coders: list[_Coder]
    n_packed: int
    is_chain: bool


class _Streams(NamedTuple):
    """Where packed streams lie, the blocks that they hold, and the sizes of the members in each block."""

    packed: list[tuple[int, int]]
    folders: list[_Folder]
    sizes: list[int]
    parts: list[list[int]]


class _Cursor:
    """Reads a header's numbers one after the other and believes no length."""

    def __init__(self, source: Source, data: Buffer) -> None:
        self.source, self.data, self.pos = source, data, 0

    def take(self, n_bytes: int) -> bytes:
        if n_bytes > len(self.data) - self.pos:
            raise _MalformedError(f"{n_bytes} bytes are claimed at {self.pos} of {len(self.data)}")
        self.pos += n_bytes
        return bytes(self.data[self.pos - n_bytes : self.pos])

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """A number of one to nine bytes; the first tells how many follow."""
        first = self.byte()
        value = 0
        for i in range(8):
            mask = 0x80 >> i
            if not first & mask:
                return value + ((first & (mask - 1)) << 8 * i)
            value |= self.byte() << 8 * i
        return value

    def count(self) -> int:
        """A number of things, each of which is somewhere in the file."""
        n = self.number()
        self.source.ledger.nodes(min(n, 1 << 40), self.source.where)
        return n

    def numbers(self, n: int) -> list[int]:
        return [self.number() for _ in range(n)]

    def bits(self, n: int) -> list[bool]:
        packed = self.take(-(-n // 8))
        return [bool(packed[i // 8] & 0x80 >> i % 8) for i in range(n)]

    def digests(self, n: int) -> int:
        """Pass the checksums of n streams; how many of them have one."""
        known = n if self.byte() else sum(self.bits(n))
        self.take(4 * known)
        return known


def read_7z(source: Source) -> str:
    """Read every member whose block can be expanded; the others are reasons."""
    try:
        header = _header(source)
        if header is not None:
            _read_archive(source, header)
    except _MalformedError as error:
        source.unknown("broken-archive", f"7z: {error}")
    return "7z"


def _header(source: Source) -> _Cursor | None:
    """The header, expanded where it is packed itself."""
    data = source.data
    if len(data) < _HEAD_BYTES:
        raise _MalformedError("the archive is too short")
    offset, n_bytes = (int.from_bytes(bytes(data[at : at + 8]), "little") for at in (12, 20))
    start = _HEAD_BYTES + offset
    if start + n_bytes > len(data):
        raise _MalformedError("the header lies outside the file")
    if start + n_bytes < len(data):
        source.unknown("trailing-bytes", "bytes stand behind the archive", start + n_bytes)
    content: Buffer = bytes(data[start : start + n_bytes])
    for _ in range(DEEPEST_HEADER):
        cursor = _Cursor(source, content)
        kind = cursor.byte() if content else _END
        if kind == _HEADER:
            return cursor
        if kind != _ENCODED:
            break
        streams = _streams(cursor)
        blocks = [block for _, block in _blocks(source, streams)]
        if not blocks:
            return None
        content = blocks[0]
    source.unknown("empty-archive", "the archive has no header that can be read")
    return None


def _read_archive(source: Source, cursor: _Cursor) -> None:
    streams = _Streams([], [], [], [])
    names: list[str] = []
    has_content: list[bool] = []
    while (kind := cursor.byte()) != _END:
        if kind == _STREAMS:
            streams = _streams(cursor)
        elif kind == _FILES:
            names, has_content = _files(cursor)
        else:
            raise _MalformedError(f"a header has a part {kind}")
    filled = [name for name, is_filled in zip(names, has_content, strict=True) if is_filled]
    for name in names:
        source.ledger.member(f"{source.where}/{name}" if source.where else name)
        if escapes(name):
            source.unsafe("path-traversal", f"member {name!r} would be written outside the folder it is unpacked into")
    if not names:
        source.unknown("empty-archive", "the archive has no member that can be read")
    starts = [sum(map(len, streams.parts[:i])) for i in range(len(streams.parts))]
    for folder, block in _blocks(source, streams):
        at = 0
        for i, n_bytes in enumerate(streams.parts[folder], starts[folder]):
            _read_member(source, block[at : at + n_bytes], filled[i] if i < len(filled) else f"member@{i}")
            at += n_bytes
        if at < len(block):
            _read_member(source, block[at:], f"rest@{folder}")


def _read_member(source: Source, content: Buffer, name: str) -> None:
    try:
        if len(content):
            source.descend(content, name)
    except LimitReached:
        # The limit is in the ledger; the other members may still be worth reading.
        return


def _blocks(source: Source, streams: _Streams) -> list[tuple[int, Buffer]]:
    """Each block that can be expanded, with its number."""
    found: list[tuple[int, Buffer]] = []
    at = 0
    for i, folder in enumerate(streams.folders):
        first, n_bytes = streams.packed[at] if at < len(streams.packed) else (0, 0)
        at += folder.n_packed
        if first + n_bytes > len(source.data):
            source.unknown("truncated", "a packed stream reaches beyond the end", first)
            continue
        block = _expand(source, source.data[first : first + n_bytes], folder, streams.sizes[i])
        if block is not None:
            found.append((i, block))
    return found


def _expand(source: Source, stored: Buffer, folder: _Folder, n_bytes: int) -> Buffer | None:
    methods = [coder.method for coder in folder.coders]
    if folder.is_chain and methods == [_COPY]:
        return stored
    if folder.is_chain and methods in ([_DEFLATE], [_BZIP2]):
        return expand(source, stored, "deflate" if methods == [_DEFLATE] else "bz2")
    filters = [_filter(coder) for coder in folder.coders] if folder.is_chain else []
    known = [found for found in reversed(filters) if found is not None]
    if not filters or len(known) < len(filters) or methods[0] not in (_LZMA, _LZMA2):
        names = ", ".join(method.hex() for method in methods)
        source.unknown("unread-compression", f"a block is packed by the methods {names}, which are not read")
        return None
    return expand_raw(source, stored, known, n_bytes)


def _filter(coder: _Coder) -> dict[str, int] | None:
    import lzma

    if coder.method == _LZMA:
        return lzma1(coder.properties)
    if coder.method == _LZMA2:
        return lzma2(coder.properties)
    if coder.method == _DELTA and len(coder.properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": coder.properties[0] + 1}
    name = _BRANCH.get(coder.method)
    return {"id": getattr(lzma, name)} if name else None


def _streams(cursor: _Cursor) -> _Streams:
    packed: list[tuple[int, int]] = []
    folders: list[_Folder] = []
    sizes: list[int] = []
    parts: list[list[int]] = []
    while (kind := cursor.byte()) != _END:
        if kind == _PACKED:
            packed = _packed(cursor)
        elif kind == _FOLDERS:
            folders, sizes = _folders(cursor)
            parts = [[size] for size in sizes]
        elif kind == _PARTS:
            parts = _parts(cursor, sizes)
        else:
            raise _MalformedError(f"streams have a part {kind}")
    return _Streams(packed, folders, sizes, parts)


def _packed(cursor: _Cursor) -> list[tuple[int, int]]:
    at = _HEAD_BYTES + cursor.number()
    n = cursor.count()
    found: list[tuple[int, int]] = []
    while (kind := cursor.byte()) != _END:
        if kind == _SIZES:
            for n_bytes in cursor.numbers(n):
                found.append((at, n_bytes))
                at += n_bytes
        elif kind == _DIGESTS:
            cursor.digests(n)
        else:
            raise _MalformedError(f"packed streams have a part {kind}")
    return found


def _folders(cursor: _Cursor) -> tuple[list[_Folder], list[int]]:
    if cursor.byte() != _FOLDER:
        raise _MalformedError("no blocks are described")
    n = cursor.count()
    if cursor.byte():
        raise _MalformedError("blocks are described elsewhere")
    described = [_folder(cursor) for _ in range(n)]
    if cursor.byte() != _FOLDER_SIZES:
        raise _MalformedError("blocks have no sizes")
    # The first method of a list gives the last, and so the unpacked, stream.
    sizes = [cursor.numbers(len(folder.coders))[0] for folder in described]
    while (kind := cursor.byte()) != _END:
        if kind != _DIGESTS:
            raise _MalformedError(f"blocks have a part {kind}")
        cursor.digests(n)
    return described, sizes


def _folder(cursor: _Cursor) -> _Folder:
    n_coders = cursor.number()
    if not 0 < n_coders <= MOST_CODERS:
        raise _MalformedError(f"a block has {n_coders} methods")
    coders: list[_Coder] = []
    n_in = n_out = 0
    for _ in range(n_coders):
        flags = cursor.byte()
        method = cursor.take(flags & 15)
        ins, outs = (cursor.number(), cursor.number()) if flags & 16 else (1, 1)
        n_in, n_out = n_in + ins, n_out + outs
        coders.append(_Coder(method, cursor.take(cursor.number()) if flags & 32 else b""))
    if n_in > 4 * MOST_CODERS or n_out > 4 * MOST_CODERS:
        raise _MalformedError("a block has too many streams")
    pairs = [(cursor.number(), cursor.number()) for _ in range(n_out - 1)]
    n_packed = n_in - len(pairs)
    if n_packed > 1:
        cursor.numbers(n_packed)
    is_chain = n_in == n_out == n_coders and n_packed == 1
    if is_chain and pairs == [(i, i + 1) for i in range(n_coders - 1)]:
        coders.reverse()
    elif is_chain and pairs:
        is_chain = pairs == [(i + 1, i) for i in range(n_coders - 1)]
    return _Folder(coders, n_packed, is_chain)


def _parts(cursor: _Cursor, sizes: list[int]) -> list[list[int]]:
    counts = [1] * len(sizes)
    parts = [[size] for size in sizes]
    kind = cursor.byte()
    if kind == _COUNTS:
        counts = [cursor.count() for _ in sizes]
        kind = cursor.byte()
    if kind == _SIZES or counts != [1] * len(sizes):
        parts = []
        for n, size in zip(counts, sizes, strict=True):
            given = cursor.numbers(max(n - 1, 0)) if kind == _SIZES else []
            if sum(given) > size:
                raise _MalformedError("members are larger than their block")
            parts.append([*given, size - sum(given)] if n else [])
        kind = cursor.byte() if kind == _SIZES else kind
    while kind != _END:
        if kind != _DIGESTS:
            raise _MalformedError(f"members have a part {kind}")
        n_all = 1 if cursor.byte() else 0
        n_digests = sum(map(len, parts))
        known = n_digests if n_all else sum(cursor.bits(n_digests))
        cursor.take(min(4 * known, len(cursor.data) - cursor.pos - 1))
        kind = _END if cursor.pos >= len(cursor.data) - 1 else cursor.byte()
    return parts


def _files(cursor: _Cursor) -> tuple[list[str], list[bool]]:
    n = cursor.count()
    names = [""] * n
    has_content = [True] * n
    while (kind := cursor.byte()) != _END:
        n_bytes = cursor.number()
        content = _Cursor(cursor.source, cursor.take(n_bytes))
        if kind == _EMPTY:
            has_content = [not bit for bit in content.bits(n)]
        elif kind == _NAMES:
            if content.byte():
                raise _MalformedError("names are given elsewhere")
            texts = (b"\xff\xfe" + bytes(content.data[1:])).decode("utf-16", "replace").split("\0")
            names = (texts + names)[:n]
    return names, has_content
