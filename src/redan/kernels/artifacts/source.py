"""The bytes under inspection, and the way down to what they contain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redan.kernels.artifacts.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.machine.values import Buffer


JUDGED_SOURCE = 20
"""What a source within another counts against `Limits.judged`, however little it holds."""

JUDGED_BYTES = 1 << 15
"""So many bytes of it count as one more, since members of an archive may lie upon each other."""

LARGEST_JUDGED_BYTES = 1 << 20
"""More is not copied."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Source:
    """One buffer: a file, a member of an archive, or the content of a compressed stream.

    Attributes:
        data: The bytes; a memory map for a large file.
        name: The file's or member's name, only for messages and for names that a format itself gives meaning to.
        where: Path of the member within the file; empty for the file itself.
        depth: Containers around it.
        ledger: The account of the whole inspection.
        read: Reads another source and returns the slug of its format.
        sibling: Gives the start of the file of this name in the same folder or archive, or None.
        n_beyond: Bytes behind `data` that belong to this source and were left where they are.
    """

    data: Buffer
    name: str
    where: str
    depth: int
    ledger: Ledger
    read: Callable[[Source], str]
    sibling: Callable[[str], bytes | None]
    n_beyond: int = 0

    def inside(self, data: Buffer, name: str, n_beyond: int = 0) -> Source:
        """Something that lies inside this source.

        Raises:
            LimitReached: It lies too deep, or it is one too many.
        """
        where = f"{self.where}/{name}" if self.where else name
        self.ledger.judges(JUDGED_SOURCE + min(len(data), LARGEST_JUDGED_BYTES) // JUDGED_BYTES, where)
        if self.depth + 1 > self.ledger.limits.depth:
            raise self.ledger.limit("depth", where)
        return self._other(data, name, where, self.depth + 1, self.ledger, n_beyond)

    def descend(self, data: Buffer, name: str, n_beyond: int = 0) -> str:
        """Read something that lies inside this source and return its format.

        Raises:
            LimitReached: It lies too deep.
        """
        return self.read(self.inside(data, name, n_beyond))

    def trial(self) -> Source:
        """The same source with an account that may be discarded."""
        return self._other(self.data, self.name, self.where, self.depth, self.ledger.fork(), self.n_beyond)

    def unheard(self) -> Source:
        """The same source with an account that counts nothing and is discarded."""
        return self._other(self.data, self.name, self.where, self.depth, Ledger(self.ledger.limits), self.n_beyond)

    def _other(self, data: Buffer, name: str, where: str, depth: int, ledger: Ledger, n_beyond: int) -> Source:
        return Source(
            data=data,
            name=name,
            where=where,
            depth=depth,
            ledger=ledger,
            read=self.read,
            sibling=self.sibling,
            n_beyond=n_beyond,
        )

    def head(self, n_bytes: int = 512) -> bytes:
        """The first bytes."""
        return bytes(self.data[:n_bytes])

    def unsafe(self, kind: str, message: str, offset: int | None = None) -> None:
        """Record an unsafe reason here."""
        self.ledger.unsafe(kind, message, self.where, offset)

    def unknown(self, kind: str, message: str, offset: int | None = None) -> None:
        """Record that something here was not read or not understood."""
        self.ledger.unknown(kind, message, self.where, offset)
