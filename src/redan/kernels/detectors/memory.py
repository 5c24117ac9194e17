"""The latest queries of many clients in bounded room; what two memories hold together does not depend on their order.

A trail is the set of a client's latest different queries in order of time. How many of them are near an earlier one is
a function of that set alone, kept up to date with one pass over it for each query. Merging is exact as long as nothing
had to be forgotten.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.kernels.detectors.fingerprints import LENGTH, apart

Query: TypeAlias = tuple[float, bytes, NDArray[np.float32]]
"""When it was asked in seconds, digest of the input, and its fingerprint (LENGTH,)."""


class Trail:
    """One client's latest queries.

    Args:
        most: queries that are kept.
        radius: nearer than this is near.
    """

    __slots__ = ("_known", "_order", "_prints", "_within", "most", "radius")

    def __init__(self, most: int, radius: float) -> None:
        self.most, self.radius = most, radius
        self._order: list[tuple[float, bytes]] = []
        self._known: set[bytes] = set()
        self._prints = np.empty((0, LENGTH), dtype=np.float32)
        # for each query how many earlier ones are near it
        self._within = np.empty(0, dtype=np.int32)

    @property
    def last_s(self) -> float:
        """When the last query was asked."""
        return self._order[-1][0]

    @property
    def near(self) -> tuple[int, int]:
        """How many queries are near an earlier one, and how many have an earlier one."""
        return int((self._within > 0).sum()), max(0, len(self._order) - 1)

    def near_with(self, query: Query) -> tuple[int, int]:
        """Return the same with one more query, without keeping it."""
        near, n = self.near
        if query[1] in self._known or not self._order:
            return near, n
        return near + bool(self._close(self._prints, query[2]).any()), n + 1

    def add(self, query: Query) -> None:
        """Keep one more query; equal inputs count once."""
        time_s, digest, print_ = query
        if digest in self._known:
            return
        place = (time_s, digest)
        if self._order and place < self._order[-1]:
            self._rebuild([*self.queries(), query])
            return
        close = self._close(self._prints, print_)
        self._known.add(digest)
        self._order.append(place)
        self._prints = np.concatenate([self._prints, print_[None]])
        self._within = np.append(self._within, np.int32(close.sum()))
        if len(self._order) > self.most:
            self._forget()

    def queries(self) -> list[Query]:
        """Return what is kept, in order of time."""
        return [(time_s, digest, self._prints[i]) for i, (time_s, digest) in enumerate(self._order)]

    def merged(self, other: Trail) -> Trail:
        """Return what both hold."""
        both = Trail(self.most, self.radius)
        both._rebuild([*self.queries(), *other.queries()])
        return both

    def _rebuild(self, queries: list[Query]) -> None:
        self._order, self._known = [], set()
        self._prints, self._within = self._prints[:0], self._within[:0]
        for query in sorted(queries, key=lambda one: one[:2]):
            self.add(query)

    def _forget(self) -> None:
        """Forget the oldest query, and that it was near others."""
        oldest, self._prints = self._prints[0], self._prints[1:]
        self._within = self._within[1:] - self._close(self._prints, oldest)
        self._known.discard(self._order.pop(0)[1])

    def _close(self, prints: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.bool_]:
        return np.asarray(apart(prints, one) < self.radius)
