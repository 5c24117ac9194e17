"""FlatBuffers, walked without a schema: tables, vectors, strings in bounds. Source: flatbuffers.dev, "Internals"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source


class MalformedBufferError(ValueError):
    """An offset or a length that leaves the buffer."""


class Table:
    """A table at one place of a buffer; fields are named by their number.

    Attributes:
        at: Offset of the table.
    """

    __slots__ = ("_end", "_fields", "_source", "_start", "at")

    def __init__(self, source: Source, at: int, start: int, end: int) -> None:
        """The table at `at` of the buffer from `start` to `end`.

        Raises:
            MalformedBufferError: No table can lie there.
        """
        self._source, self._start, self._end, self.at = source, start, end, at
        source.ledger.nodes(1, source.where)
        fields = at - self._signed(at)
        n_bytes = self._number(fields, 2)
        if n_bytes < 4 or n_bytes % 2 or fields + n_bytes > end:
            raise MalformedBufferError(f"a table's fields at {fields} cannot be")
        self._fields = fields

    @classmethod
    def root(cls, source: Source, start: int = 0, end: int | None = None) -> Table:
        """The root table of the buffer between two offsets.

        Raises:
            MalformedBufferError: There is none.
        """
        end = len(source.data) if end is None else end
        if start + 8 > end or end > len(source.data):
            raise MalformedBufferError("the buffer is too short")
        at = start + int.from_bytes(bytes(source.data[start : start + 4]), "little")
        if at + 4 > end:
            raise MalformedBufferError(f"the root lies at {at} of {end}")
        return cls(source, at, start, end)

    def _number(self, at: int, n_bytes: int) -> int:
        if at < self._start or at + n_bytes > self._end:
            raise MalformedBufferError(f"an offset leads to {at} of {self._end}")
        return int.from_bytes(bytes(self._source.data[at : at + n_bytes]), "little")

    def _signed(self, at: int) -> int:
        value = self._number(at, 4)
        return value - (1 << 32) if value >> 31 else value

    def _place(self, number: int) -> int:
        """Offset of a field; 0 where the table has none."""
        entry = 4 + 2 * number
        if entry + 2 > self._number(self._fields, 2):
            return 0
        offset = self._number(self._fields + entry, 2)
        return self.at + offset if offset else 0

    def integer(self, number: int, n_bytes: int, default: int = 0) -> int:
        """An unsigned number."""
        at = self._place(number)
        return self._number(at, n_bytes) if at else default

    def _follow(self, at: int) -> int:
        return at + self._number(at, 4)

    def content(self, number: int, item_bytes: int = 1) -> tuple[int, int] | None:
        """Offsets of the bytes of a vector or a string; None where the table has none.

        Raises:
            MalformedBufferError: It leaves the buffer.
        """
        at = self._place(number)
        if not at:
            return None
        vector = self._follow(at)
        n_items = self._number(vector, 4)
        if n_items * item_bytes > self._end - vector - 4:
            raise MalformedBufferError(f"a vector claims {n_items} items at {vector}")
        return vector + 4, vector + 4 + n_items * item_bytes

    def text(self, number: int, longest: int = 4096) -> str:
        """A string; empty where the table has none."""
        found = self.content(number)
        if found is None:
            return ""
        return bytes(self._source.data[found[0] : min(found[1], found[0] + longest)]).decode("utf-8", "replace")

    def table(self, number: int) -> Table | None:
        """A table within this one."""
        at = self._place(number)
        return Table(self._source, self._follow(at), self._start, self._end) if at else None

    def tables(self, number: int) -> list[Table]:
        """The tables of a vector.

        Raises:
            MalformedBufferError: One leaves the buffer.
            LimitReached: There are more than `Limits.nodes`.
        """
        found = self.content(number, 4)
        if found is None:
            return []
        self._source.ledger.nodes((found[1] - found[0]) // 4, self._source.where)
        return [Table(self._source, self._follow(at), self._start, self._end) for at in range(*found, 4)]

    def texts(self, number: int, longest: int = 4096) -> list[str]:
        """The strings of a vector."""
        found = self.content(number, 4)
        texts: list[str] = []
        for at in range(*found, 4) if found else ():
            self._source.ledger.nodes(1, self._source.where)
            start = self._follow(at)
            n_bytes = self._number(start, 4)
            self._number(start + 4, n_bytes) if n_bytes <= 4 else self._number(start + 4 + n_bytes - 1, 1)
            content = self._source.data[start + 4 : start + 4 + min(n_bytes, longest)]
            texts.append(bytes(content).decode("utf-8", "replace"))
        return texts
