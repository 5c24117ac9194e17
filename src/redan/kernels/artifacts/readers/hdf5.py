"""HDF5: groups, attributes and storage, walked for configurations, links to other files and data outside the file.

Numbers are never read, so a file of gigabytes costs as much as its groups. Source: the HDF Group's "HDF5 File Format
Specification Version 3.0", sections II (superblock), III (groups, heaps) and IV (object headers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.readers.hdf5_heap import HeapError, objects
from redan.kernels.artifacts.readers.paths import escapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.source import Source

MAGIC = b"\x89HDF\r\n\x1a\n"

_LINK_INFO, _LINK, _EXTERNAL_FILES, _LAYOUT = 0x02, 0x06, 0x07, 0x08
_ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x11, 0x15
_VARIABLE_LENGTH = 9
_EXTERNAL_LINK = 64


class _MalformedError(ValueError):
    """A structure that is not where or what the file says."""


class _Message(NamedTuple):
    kind: int
    start: int
    end: int


class _Walk:
    """One walk over a file's objects."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.size = end - start
        self.offset_bytes = self.length_bytes = 8
        self.pending: list[int] = []
        self.seen: set[int] = set()

    def run(self) -> None:
        self.pending.append(self._root())
        while self.pending:
            address = self.pending.pop()
            if address in self.seen:
                continue
            self.seen.add(address)
            for message in self._messages(address):
                self._read(message)

    def number(self, pos: int, n_bytes: int) -> int:
        """A little-endian number."""
        if not 0 <= pos <= self.size - n_bytes:
            raise _MalformedError(f"a structure reaches beyond the end, at {pos}")
        return int.from_bytes(self.piece(pos, pos + n_bytes), "little")

    def piece(self, start: int, end: int) -> bytes:
        """The bytes between two addresses of the file."""
        return bytes(self.source.data[self.start + start : self.start + min(end, self.size)])

    def offset(self, pos: int) -> int:
        return self.number(pos, self.offset_bytes)

    def is_defined(self, address: int) -> bool:
        return address != (1 << 8 * self.offset_bytes) - 1

    def _root(self) -> int:
        version = self.number(8, 1)
        at = 9 if version >= 2 else 13
        self.offset_bytes, self.length_bytes = self.number(at, 1), self.number(at + 1, 1)
        if self.offset_bytes not in (2, 4, 8) or self.length_bytes not in (2, 4, 8) or version > 3:
            raise _MalformedError("the superblock is strange")
        if version >= 2:
            return self.offset(12 + 3 * self.offset_bytes)
        return self.offset((28 if version == 1 else 24) + 5 * self.offset_bytes)

    def _messages(self, address: int) -> Iterator[_Message]:
        """The messages of an object header of either version, continuations included."""
        new = self.piece(address, address + 4) == b"OHDR"
        if not new and self.number(address, 1) != 1:
            raise _MalformedError(f"no object header at {address}")
        ordered = False
        if new:
            flags = self.number(address + 5, 1)
            ordered = bool(flags & 4)
            pos = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            blocks = [(pos + width, pos + width + self.number(pos, width))]
        else:
            blocks = [(address + 16, address + 16 + self.number(address + 8, 4))]
        while blocks:
            start, end = blocks.pop()
            for message in self._block(start, end, new=new, ordered=ordered):
                if message.kind == _CONTINUATION:
                    first = self.offset(message.start)
                    n_bytes = self.number(message.start + self.offset_bytes, self.length_bytes)
                    blocks.append((first + 4, first + n_bytes - 4) if new else (first, first + n_bytes))
                else:
                    yield message

    def _block(self, pos: int, end: int, *, new: bool, ordered: bool) -> Iterator[_Message]:
        n_head = (4 + 2 * ordered) if new else 8
        while pos + n_head <= end:
            self.source.ledger.nodes(1, self.source.where)
            kind = self.number(pos, 1 if new else 2)
            n_bytes = self.number(pos + (1 if new else 2), 2)
            start = pos + n_head
            if start + n_bytes > self.size:
                raise _MalformedError(f"a message reaches beyond the end, at {pos}")
            yield _Message(kind, start, start + n_bytes)
            pos = start + n_bytes

    def _read(self, message: _Message) -> None:
        if message.kind == _ATTRIBUTE:
            self._attribute(message)
        elif message.kind == _SYMBOL_TABLE:
            self._tree(self.offset(message.start))
        elif message.kind == _LINK:
            self._link(message)
        elif message.kind == _EXTERNAL_FILES:
            self.source.unsafe("external-data", "a data set takes its numbers from another file", message.start)
        elif message.kind == _LAYOUT and self.number(message.start, 1) >= 4 and self.number(message.start + 1, 1) == 3:
            self.source.unknown(
                "external-data", "a virtual data set may take its numbers from other files", message.start
            )
        elif message.kind in (_LINK_INFO, _ATTRIBUTE_INFO):
            self._dense(message)

    def _dense(self, message: _Message) -> None:
        flags = self.number(message.start + 1, 1)
        width = (8 if message.kind == _LINK_INFO else 2) if flags & 1 else 0
        heap_at = self.offset(message.start + 2 + width)
        if not self.is_defined(heap_at):
            return
        tree_at = self.offset(message.start + 2 + width + self.offset_bytes)
        read = self._link if message.kind == _LINK_INFO else self._attribute
        try:
            for start, end in objects(self, heap_at, tree_at):
                read(_Message(message.kind, start, end))
        except HeapError as error:
            self.source.unknown("unread-format", f"links or attributes in dense storage: {error}", message.start)

    def visit(self) -> None:
        """Count one node of a heap or an index."""
        self.source.ledger.nodes(1, self.source.where)

    def _tree(self, address: int) -> None:
        """Queue the objects below a version-1 group tree."""
        pending = [address]
        while pending:
            node = pending.pop()
            if node in self.seen:
                continue
            self.seen.add(node)
            self.source.ledger.nodes(1, self.source.where)
            magic = self.piece(node, node + 4)
            n_entries = self.number(node + 6, 2)
            if magic == b"TREE":
                step = self.length_bytes + self.offset_bytes
                first = node + 8 + 2 * self.offset_bytes + self.length_bytes
                pending.extend(self.offset(first + i * step) for i in range(n_entries))
            elif magic == b"SNOD":
                step = 2 * self.offset_bytes + 24
                for i in range(n_entries):
                    entry = node + 8 + i * step
                    if self.number(entry + 2 * self.offset_bytes, 4) != 2:
                        self.pending.append(self.offset(entry + self.offset_bytes))
            else:
                raise _MalformedError(f"no group node at {node}")

    def _link(self, message: _Message) -> None:
        flags = self.number(message.start + 1, 1)
        pos = message.start + 2
        kind = self.number(pos, 1) if flags & 8 else 0
        pos += bool(flags & 8) + (8 if flags & 4 else 0) + bool(flags & 16)
        width = 1 << (flags & 3)
        pos += width + self.number(pos, width)
        if kind == 0:
            self.pending.append(self.offset(pos))
        elif kind == _EXTERNAL_LINK:
            content = self.piece(pos + 3, pos + 2 + self.number(pos, 2))
            target = content.split(b"\0", 1)[0].decode("utf-8", "replace")
            verdict = self.source.unsafe if escapes(target) else self.source.unknown
            verdict("external-data", f"a link leads into another file, {target[:120]!r}", message.start)

    def _attribute(self, message: _Message) -> None:
        version = self.number(message.start, 1)
        sizes = [self.number(message.start + at, 2) for at in (2, 4, 6)]
        padded = [-(-n // 8) * 8 if version == 1 else n for n in sizes]
        name_at = message.start + (9 if version == 3 else 8)
        type_at = name_at + padded[0]
        value_at = type_at + padded[1] + padded[2]
        name = self.piece(name_at, name_at + sizes[0]).rstrip(b"\0").decode("utf-8", "replace")
        if self.number(type_at, 1) & 15 == _VARIABLE_LENGTH:
            value = self._heap_object(value_at)
        else:
            value = self.piece(value_at, message.end)
        if value.lstrip()[:1] in (b"{", b"["):
            self.source.descend(value.rstrip(b"\0"), f"attribute {name}")

    def _heap_object(self, pos: int) -> bytes:
        """The bytes of a variable-length value in a global heap."""
        collection, wanted = self.offset(pos + 4), self.number(pos + 4 + self.offset_bytes, 4)
        if not collection or self.piece(collection, collection + 4) != b"GCOL":
            return b""
        end = collection + self.number(collection + 8, self.length_bytes)
        at = collection + 8 + self.length_bytes
        while at + 8 + self.length_bytes <= min(end, self.size):
            self.source.ledger.nodes(1, self.source.where)
            index, n_bytes = self.number(at, 2), self.number(at + 8, self.length_bytes)
            start = at + 8 + self.length_bytes
            if index == wanted:
                if n_bytes > self.source.ledger.limits.header_bytes:
                    raise self.source.ledger.limit("header_bytes", self.source.where)
                return self.piece(start, start + n_bytes)
            if index == 0:
                break
            at = start + -(-n_bytes // 8) * 8
        return b""


def read_hdf5(source: Source, start: int = 0, end: int | None = None) -> str:
    """Walk the objects of a file.

    Args:
        source: The bytes.
        start: Where the file begins within them, for one that lies stored in an archive.
        end: Where it ends; the end of the bytes where it is not given.
    """
    try:
        _Walk(source, start, len(source.data) if end is None else end).run()
    except _MalformedError as error:
        source.unknown("malformed-header", f"HDF5: {error}")
    return "hdf5"
