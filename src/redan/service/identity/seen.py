"""What was recognised before: the hot path of authentication, in memory and bounded.

A header is remembered by its SHA-256 (0.3 to 0.5 µs for keys and tokens), so that no secret lies in memory longer than
its request. Entries live in two generations: what is used moves into the young one, and when that is full the old one
goes as a whole, which costs a hot entry nothing and keeps the number of entries bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.service.identity.principal import Principal

MOST = 32_768


class Entry:
    """Somebody who was recognised.

    Attributes:
        principal: who.
        until_s: when the credential ends, on the monotonic clock.
        names: what a change must name to end it: subject, key, token.
        used: whether it was used since that was last written down.
    """

    __slots__ = ("names", "principal", "until_s", "used")

    def __init__(self, principal: Principal, until_s: float, names: frozenset[str]) -> None:
        self.principal, self.until_s, self.names, self.used = principal, until_s, names, True


class Seen:
    """Entries by the digest of the header.

    Args:
        most: entries in one generation; twice as many are kept at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.young: dict[bytes, Entry] = {}
        self._old: dict[bytes, Entry] = {}

    def revive(self, digest: bytes) -> Entry | None:
        """Return an entry of the old generation, made young again."""
        entry = self._old.pop(digest, None)
        if entry is not None:
            self.put(digest, entry)
        return entry

    def put(self, digest: bytes, entry: Entry) -> None:
        """Remember an entry."""
        if len(self.young) >= self._most:
            self._old, self.young = self.young, {}
        self.young[digest] = entry

    def forget(self, names: Iterable[str] | None) -> int:
        """Forget whatever one of these names concerns, or everything; return how many entries went."""
        before = len(self)
        gone = None if names is None else frozenset(names)
        for kept in (self.young, self._old):
            for digest in [d for d, entry in kept.items() if gone is None or not gone.isdisjoint(entry.names)]:
                del kept[digest]
        return before - len(self)

    def drop(self, digest: bytes) -> None:
        """Forget one entry."""
        self.young.pop(digest, None)
        self._old.pop(digest, None)

    def __iter__(self) -> Iterator[Entry]:
        yield from self.young.values()
        yield from self._old.values()

    def __len__(self) -> int:
        return len(self.young) + len(self._old)
