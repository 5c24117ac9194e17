"""How many sensitive values there are in each class.

Source: Machanavajjhala et al. (2007), l-diversity: privacy beyond k-anonymity, definitions 4.1 (entropy) and distinct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.core.record import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversity:
    """The least diverse class.

    Attributes:
        distinct: fewest different sensitive values of a class.
        entropy: exponential of the least entropy of a class; entropy l-diversity holds for every l up to it.
        revealed_rows: rows in classes with one sensitive value, so that knowing the class is knowing the value.
    """

    distinct: int
    entropy: float
    revealed_rows: int


def diversity(found: Codes, sensitive: Codes) -> Diversity:
    """Return the diversity of the least diverse class.

    Args:
        found: class of each row, shape (n,), counted from 0.
        sensitive: code of the sensitive value of each row, shape (n,).
    """
    width = int(sensitive.max(initial=0)) + 1
    pairs, counts = np.unique(found * width + sensitive, return_counts=True)
    owners = pairs // width
    sizes = np.bincount(found)
    distinct = np.bincount(owners, minlength=len(sizes))
    shares = counts / sizes[owners]
    entropies = np.bincount(owners, weights=-shares * np.log(shares), minlength=len(sizes))
    return Diversity(
        distinct=int(distinct.min()),
        entropy=float(np.exp(entropies.min())),
        revealed_rows=int(sizes[distinct == 1].sum()),
    )
