"""HDF5's dense storage: the objects of a fractal heap that a version-2 B-tree lists.

Many attributes or links of one object lie there. Filtered heaps and objects too large for the heap's blocks are not
read. Source: "HDF5 File Format Specification Version 3.0", sections III.A.2 (B-trees) and III.G (fractal heaps).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX_BYTES = 10
_DEEPEST = 16
_LONGEST_ADDRESS_BITS = 64
_NAME_INDEXES = {5: (4, 7), 8: (0, 8)}
"""Where the heap's identifier lies in a record of links or attributes by name, and its length."""


class HeapError(ValueError):
    """Something that is not where or what the file says, or that is not read."""


class File(Protocol):
    """What is read from."""

    offset_bytes: int
    length_bytes: int

    def number(self, pos: int, n_bytes: int) -> int:
        """A little-endian number."""

    def piece(self, start: int, end: int) -> bytes:
        """The bytes between two addresses."""

    def visit(self) -> None:
        """Count one node."""


class _Heap(NamedTuple):
    """A fractal heap: where its first block lies, and how its blocks grow."""

    root: int
    n_rows: int
    width: int
    first_bytes: int
    n_direct_rows: int
    n_offset_bytes: int
    n_size_bytes: int


def objects(file: File, heap_at: int, tree_at: int) -> Iterator[tuple[int, int]]:
    """Where the objects that a tree lists begin and end.

    Raises:
        HeapError: The structures are malformed, or an object is stored in a way that is not read.
    """
    heap = _heap(file, heap_at)
    for at in _records(file, tree_at):
        kind = file.number(at, 1)
        if kind >> 4:
            raise HeapError("an object outside the blocks of a fractal heap was not read")
        offset = file.number(at + 1, heap.n_offset_bytes)
        n_bytes = file.number(at + 1 + heap.n_offset_bytes, heap.n_size_bytes)
        start = _address(file, heap, offset)
        yield start, start + n_bytes


def _heap(file: File, at: int) -> _Heap:
    o, n = file.offset_bytes, file.length_bytes
    if file.piece(at, at + 4) != b"FRHP" or file.number(at + 7, 2):
        raise HeapError("no unfiltered fractal heap where one should be")
    largest_bytes = file.number(at + 10, 4)
    pos = at + 14 + 10 * n + 2 * o
    width, first_bytes = file.number(pos, 2), file.number(pos + 2, n)
    largest_direct = file.number(pos + 2 + n, n)
    n_bits = file.number(pos + 2 + 2 * n, 2)
    sizes = (width, first_bytes, largest_direct)
    if any(size < 1 or size & (size - 1) for size in sizes) or first_bytes > largest_direct or not largest_bytes:
        raise HeapError("a fractal heap's blocks have strange sizes")
    if not 0 < n_bits <= _LONGEST_ADDRESS_BITS:
        raise HeapError("a fractal heap is too large")
    pos += 6 + 2 * n
    direct_bits = largest_direct.bit_length() - 1
    return _Heap(
        root=file.number(pos, o),
        n_rows=file.number(pos + o, 2),
        width=width,
        first_bytes=first_bytes,
        n_direct_rows=direct_bits - first_bytes.bit_length() + 3,
        n_offset_bytes=(n_bits + 7) // 8,
        n_size_bytes=min((direct_bits + 7) // 8, (largest_bytes.bit_length() + 7) // 8),
    )


def _address(file: File, heap: _Heap, offset: int) -> int:
    """Where in the file a place in the heap's address space lies."""
    block, n_rows = heap.root, heap.n_rows
    if n_rows == 0:
        return block + offset
    row_bytes = heap.width * heap.first_bytes
    for _ in range(_DEEPEST):
        file.visit()
        if file.piece(block, block + 4) != b"FHIB":
            break
        row = (offset // row_bytes).bit_length()
        block_bytes = heap.first_bytes << max(row - 1, 0)
        column, offset = divmod(offset - (heap.width * block_bytes if row else 0), block_bytes)
        if row >= n_rows:
            break
        entries = block + 5 + file.offset_bytes + heap.n_offset_bytes
        block = file.number(entries + (row * heap.width + column) * file.offset_bytes, file.offset_bytes)
        if row < heap.n_direct_rows:
            return block + offset
        n_rows = (block_bytes // row_bytes).bit_length()
    raise HeapError("a fractal heap's blocks are not where they should be")


def _records(file: File, at: int) -> Iterator[int]:
    """Where the heap identifiers of a tree's records lie."""
    o = file.offset_bytes
    kind = file.number(at + 5, 1)
    if file.piece(at, at + 4) != b"BTHD" or kind not in _NAME_INDEXES:
        raise HeapError("no index by names where one should be")
    node_bytes, record_bytes = file.number(at + 6, 4), file.number(at + 10, 2)
    depth, root, n_root = file.number(at + 12, 2), file.number(at + 16, o), file.number(at + 16 + o, 2)
    shift, n_identifier = _NAME_INDEXES[kind]
    if depth > _DEEPEST or record_bytes < shift + n_identifier or node_bytes < _PREFIX_BYTES + record_bytes:
        raise HeapError("an index has strange sizes")
    n_expected = file.number(at + 18 + o, file.length_bytes)
    pointers = _pointer_sizes(node_bytes, record_bytes, depth, o)
    pending = [(root, n_root, depth)] if n_expected else []
    n_found = 0
    while pending:
        node, n, level = pending.pop()
        file.visit()
        if file.piece(node, node + 4) != (b"BTIN" if level else b"BTLF") or n * record_bytes > node_bytes:
            raise HeapError("an index's nodes are not where they should be")
        for i in range(n):
            file.visit()
            yield node + 6 + i * record_bytes + shift
        n_found += n
        if level:
            n_count, n_pointer = pointers[level]
            first = node + 6 + n * record_bytes
            children = range(first, first + (n + 1) * n_pointer, n_pointer)
            pending += [(file.number(at, o), file.number(at + o, n_count), level - 1) for at in children]
    if n_found != n_expected:
        raise HeapError("an index holds another number of records than it says")


def _pointer_sizes(node_bytes: int, record_bytes: int, depth: int, n_address: int) -> list[tuple[int, int]]:
    """For each level the bytes of a child's number of records, and of a whole pointer to a child."""
    most = (node_bytes - _PREFIX_BYTES) // record_bytes
    n_count = (most.bit_length() + 7) // 8
    sizes = [(n_count, 0)]
    total, n_total = most, 0
    for _ in range(depth):
        n_pointer = n_address + n_count + n_total
        sizes.append((n_count, n_pointer))
        most = max(0, node_bytes - _PREFIX_BYTES - n_pointer) // (record_bytes + n_pointer)
        total = (most + 1) * total + most
        n_total = (total.bit_length() + 7) // 8
    return sizes
