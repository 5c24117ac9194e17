"""From what is known about a client's queries to one number: at 1 it looks like a theft.

Three signs, each a share of the client's different queries: how many lie far from normal use; how strange they are on
average among their own neighbours; and how many belong to a family, that is, are small changes of at least three
earlier queries. A change is small when it moves the input less than 0.7 times as far as the nearest row of normal use
lies, or usually lies where that is less, so that the classes that lie dense are no families. Retries make families of
two or three; a thief who grows his inputs (Papernot et al. 2017, AsiaCCS, algorithm 1) doubles every family each round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.streams.strangeness import Told

LEAST_QUERIES = 50
"""Fewer say nothing."""
FAMILY = 3
"""Earlier queries that one must be a small change of to belong to a family."""
NORMAL_RANK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where each sign is 1.

    Attributes:
        far: share of queries that lie far from normal use.
        rank: mean rank of strangeness, above one half.
        family: share of queries that belong to a family.
        kin: a change is small below this share of the distance to the nearest row of normal use.
    """

    far: float = 0.4
    rank: float = 0.85
    family: float = 0.33
    kin: float = 0.7

    def signs(self, n: int, far: float, ranks: float, families: float) -> tuple[float, float, float]:
        """Return the three signs of n queries; nothing is suspicious before 50.

        Args:
            n: different queries.
            far: how many of them are far.
            ranks: sum of their ranks.
            families: how many of them belong to a family.
        """
        if n < LEAST_QUERIES:
            return 0.0, 0.0, 0.0
        strange = max(0.0, ranks / n - NORMAL_RANK) / (self.rank - NORMAL_RANK)
        return far / n / self.far, strange, families / n / self.family


def peak(told: Told, prints: NDArray[np.float32], limits: Limits) -> float:
    """Return how suspicious a client of n different queries was at most, asked after each of them.

    Args:
        told: about the queries, in order of time.
        prints: (n, LENGTH) fingerprints of their looks.
        limits: of the signs.
    """
    far, ranks = told.far.cumsum().tolist(), told.rank.cumsum(dtype=np.float64).tolist()
    families = (kin(prints, told.nearest, limits.kin) >= FAMILY).cumsum().tolist()
    return max((max(limits.signs(i + 1, far[i], ranks[i], families[i])) for i in range(len(prints))), default=0.0)


def kin(prints: NDArray[np.float32], nearest: NDArray[np.float32], share: float) -> NDArray[np.int64]:
    """Return of how many earlier queries each is a small change, (n,).

    Args:
        prints: (n, LENGTH) fingerprints of looks, in order of time.
        nearest: (n,) distance of each look to the nearest row of normal use.
        share: of that distance, below which a change is small.
    """
    squares = (prints * prints).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * prints @ prints.T, 0.0))
    return np.asarray(np.tril(apart < share * nearest[:, None], -1).sum(axis=1), np.int64)
