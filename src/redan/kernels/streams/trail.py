"""The latest different queries of many clients in bounded room; replicas merge to what one would hold.

What is known of a client is a function of the set of queries that are kept, in order of time, so merging is exact as
long as nothing had to be forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.detectors.fingerprints import LENGTH, apart
from redan.kernels.streams.suspicion import FAMILY

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEAREST, _FAR, _RANK = range(3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Query:
    """One query.

    Attributes:
        time_s: when.
        digest: of the input.
        fingerprint: (LENGTH,) of its look.
        nearest: distance of the look to the nearest row of normal use.
        far: whether it lies far from normal use.
        rank: of its strangeness.
    """

    time_s: float
    digest: bytes
    fingerprint: NDArray[np.float32]
    nearest: float
    far: bool
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is known of a client: how many queries are kept, are far, and belong to a family; sums of ranks."""

    n: int
    far: int
    ranks: float
    squares: float
    families: int


class Trail:
    """One client's latest queries.

    Args:
        most: queries that are kept.
        kin: a change is small below this share of the distance to the nearest row of normal use.
    """

    __slots__ = ("_facts", "_known", "_order", "_prints", "_within", "kin", "most")

    def __init__(self, most: int, kin: float) -> None:
        self.most, self.kin = most, kin
        self._order: list[tuple[float, bytes]] = []
        self._known: dict[bytes, float] = {}
        self._prints = np.empty((0, LENGTH), np.float32)
        self._facts = np.empty((0, 3), np.float32)
        # for each query of how many earlier ones it is a small change
        self._within = np.empty(0, np.int32)

    @property
    def last_s(self) -> float:
        """When the last query was asked."""
        return self._order[-1][0]

    @property
    def counts(self) -> Counts:
        """What is known."""
        ranks = self._facts[:, _RANK].astype(np.float64)
        return Counts(
            n=len(self._order),
            far=int(self._facts[:, _FAR].sum()),
            ranks=float(ranks.sum()),
            squares=float((ranks * ranks).sum()),
            families=int((self._within >= FAMILY).sum()),
        )

    def counts_with(self, query: Query) -> Counts:
        """Return the same with one more query, without keeping it."""
        now = self.counts
        if query.digest in self._known:
            return now
        return Counts(
            n=now.n + 1,
            far=now.far + query.far,
            ranks=now.ranks + query.rank,
            squares=now.squares + query.rank**2,
            families=now.families + (self._kin_of(query, now.n) >= FAMILY),
        )

    def add(self, query: Query) -> None:
        """Keep one more query at its place in time; equal inputs count once, at the earliest time."""
        if query.digest in self._known:
            if query.time_s >= self._known[query.digest]:
                return
            self._drop(bisect_left(self._order, (self._known[query.digest], query.digest)))
        order = (query.time_s, query.digest)
        place = bisect_left(self._order, order)
        within = self._kin_of(query, place)
        self._within[place:] += self._kin_from(place, query.fingerprint)
        self._order.insert(place, order)
        self._known[query.digest] = query.time_s
        self._prints = np.insert(self._prints, place, query.fingerprint, axis=0)
        self._facts = np.insert(self._facts, place, (query.nearest, query.far, query.rank), axis=0)
        self._within = np.insert(self._within, place, within)
        if len(self._order) > self.most:
            self._drop(0)

    def queries(self) -> list[Query]:
        """Return what is kept, in order of time."""
        return [
            Query(
                time_s=time_s,
                digest=digest,
                fingerprint=self._prints[i],
                nearest=float(self._facts[i, _NEAREST]),
                far=bool(self._facts[i, _FAR]),
                rank=float(self._facts[i, _RANK]),
            )
            for i, (time_s, digest) in enumerate(self._order)
        ]

    def merged(self, other: Trail) -> Trail:
        """Return what both hold."""
        both = Trail(self.most, self.kin)
        for query in sorted([*self.queries(), *other.queries()], key=lambda one: (one.time_s, one.digest)):
            both.add(query)
        return both

    def _kin_of(self, query: Query, place: int) -> int:
        """Return of how many queries before a place this one is a small change."""
        return int((apart(self._prints[:place], query.fingerprint) < self.kin * np.float32(query.nearest)).sum())

    def _kin_from(self, place: int, fingerprint: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which queries from a place on are small changes of one."""
        return np.asarray(apart(self._prints[place:], fingerprint) < self.kin * self._facts[place:, _NEAREST])

    def _drop(self, place: int) -> None:
        """Forget one query, and that others were small changes of it."""
        self._within[place + 1 :] -= self._kin_from(place + 1, self._prints[place])
        self._prints, self._facts = np.delete(self._prints, place, axis=0), np.delete(self._facts, place, axis=0)
        self._within = np.delete(self._within, place)
        del self._known[self._order.pop(place)[1]]
