"""Ladders of generalisation: a column from exact values up to one value for all.

Source: Samarati and Sweeney (1998), domain generalisation hierarchies.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY = "*"
"""What stands for every value."""

BINS = (64, 32, 16, 8, 4, 2)
"""Ranges of a number on the steps of its ladder, each with about as many rows as the others."""

RARE_SHARES = (0.001, 0.005, 0.02, 0.05, 0.2)
"""Share of rows below which a category is one of the others, on the steps of its ladder."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")


def ladder(column: NDArray[Any]) -> list[NDArray[Any]]:
    """Return a column at every step, from as it is to one value; steps that change nothing are left out.

    Args:
        column: numbers or text, shape (n,). Dates in ISO form become months and years.
    """
    if column.dtype.kind in "iuf":
        steps = [ranges(column, bins) for bins in BINS]
    else:
        words = column.astype(str)
        dated = len(words) > 0 and all(_DATE.fullmatch(word) for word in np.unique(words))
        steps = [_cut(words, 7), _cut(words, 4)] if dated else [merged(words, share) for share in RARE_SHARES]
    found: list[NDArray[Any]] = [column]
    for step in [*steps, np.full(len(column), ANY, dtype=object)]:
        if len(np.unique(step.astype(str))) < len(np.unique(found[-1].astype(str))):
            found.append(step)
    return found


def ranges(column: NDArray[Any], bins: int) -> NDArray[Any]:
    """Return each number as the range it lies in, ``20..29``, of `bins` ranges with about as many rows each."""
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    if not len(known):
        return np.full(len(column), ANY, dtype=object)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1), method="lower"))
    # the last edge is the greatest value, which belongs to the range below it
    starts = edges[:-1] if len(edges) > 1 else edges
    places = np.clip(np.searchsorted(starts, column, side="right") - 1, 0, len(starts) - 1)
    names = np.empty(len(starts), dtype=object)
    for place in range(len(starts)):
        inside = known[np.clip(np.searchsorted(starts, known, side="right") - 1, 0, None) == place]
        low, high = inside.min(), inside.max()
        names[place] = f"{low:.12g}" if low == high else f"{low:.12g}..{high:.12g}"
    found = names[places]
    if column.dtype.kind == "f":
        found[np.isnan(column)] = ""
    return found


def merged(words: NDArray[Any], share: float) -> NDArray[Any]:
    """Return categories with those of less than a share of the rows as one."""
    counts = Counter(words.tolist())
    least = share * len(words)
    return np.array([word if counts[word] >= least else ANY for word in words.tolist()], dtype=object)


def _cut(words: NDArray[Any], length: int) -> NDArray[Any]:
    return np.array([word[:length] for word in words.tolist()], dtype=object)


def entropy(column: NDArray[Any]) -> float:
    """Return the entropy of a column's values, in nats."""
    counts = np.unique(column.astype(str), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
