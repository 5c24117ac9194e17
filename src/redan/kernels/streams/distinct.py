"""How many different inputs were asked, in bounded room: the smallest hashes of them.

Up to 256 the count is exact; beyond, the 256th smallest of m uniform numbers lies near 256 / m (Bar-Yossef, Jayram,
Kumar, Sivakumar & Trevisan 2002, RANDOM, section 2; Giroire 2009, "Order statistics and estimating cardinalities of
massive data sets", for its error). The union of two sketches is the sketch of both streams.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

KEPT = 256
HASH_BYTES = 8
_WHOLE = 2.0 ** (8 * HASH_BYTES)
_SURE = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """The smallest hashes.

    Attributes:
        smallest: of all hashes, rising, at most 256; each below 2^64.
    """

    smallest: tuple[int, ...] = ()

    def plus(self, number: int) -> Distinct:
        """Return the sketch with one more hash."""
        place = bisect_left(self.smallest, number)
        if place >= KEPT or (place < len(self.smallest) and self.smallest[place] == number):
            return self
        return Distinct(smallest=(*self.smallest[:place], number, *self.smallest[place:])[:KEPT])

    def merged(self, other: Distinct) -> Distinct:
        """Return the sketch of both streams."""
        return Distinct(smallest=tuple(sorted({*self.smallest, *other.smallest})[:KEPT]))

    def estimate(self) -> tuple[float, float, float]:
        """Return how many different inputs there were, and the ends of the 95 % interval."""
        if len(self.smallest) < KEPT:
            exact = float(len(self.smallest))
            return exact, exact, exact
        value = (KEPT - 1) / ((self.smallest[-1] + 1) / _WHOLE)
        error = _SURE / math.sqrt(KEPT - 2)
        return value, value * (1 - error), value * (1 + error)
