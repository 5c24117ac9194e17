"""Which inputs a model needs, and how exactly: columns become their mean or ranges while accuracy holds.

Source: Goldsteen et al. (2022), data minimization for GDPR compliance in machine learning models: inputs are
generalised as far as accuracy stays. There a tree partitions the rows; here every column has its own ranges, so that a
form can ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.record import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANGES = (2, 4, 8, 16, 32)
"""Numbers of ranges that are tried for a column, from the coarsest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarse:
    """One column as the model is to be given it.

    Attributes:
        ranges: how many ranges it has: 1 for one value, 0 for as it is.
        edges: (ranges - 1,) where one range ends and the next begins.
        values: (ranges,) what stands for each range.
        drop: accuracy lost on the rows of the choice when this column alone is one value.
    """

    ranges: int
    edges: NDArray[Any]
    values: NDArray[Any]
    drop: float


def coarsest(
    correct: Callable[[NDArray[Any]], NDArray[np.bool_] | None], x: NDArray[Any], *, tolerance: float
) -> list[Coarse] | None:
    """Choose for each column the coarsest ranges with which accuracy falls by no more than a tolerance in all.

    Args:
        correct: tells of inputs of the shape of `x` which the model classifies right; None to stop.
        x: (n, d) rows to choose on; what is reported must be measured on others.
        tolerance: fraction of accuracy that may be lost by all columns together.

    Returns:
        One entry a column, or None where `correct` stopped.
    """
    base = _accuracy(correct, x)
    if base is None:
        return None
    drops: list[float] = []
    for place in range(x.shape[1]):
        found = _accuracy(correct, _with(x, place, _column(x[:, place], 1, 0.0)))
        if found is None:
            return None
        drops.append(base - found)
    chosen = [Coarse(ranges=0, edges=np.empty(0), values=np.empty(0), drop=drop) for drop in drops]
    # columns that matter least are made coarse first, and each choice is kept while the next ones are tried
    for place in sorted(range(x.shape[1]), key=lambda each: drops[each]):
        for ranges in (1, *RANGES):
            tried = _column(x[:, place], ranges, drops[place])
            found = _accuracy(correct, applied([*chosen[:place], tried, *chosen[place + 1 :]], x))
            if found is None:
                return None
            if found >= base - tolerance:
                chosen[place] = tried
                break
    return chosen


def applied(chosen: Sequence[Coarse], x: NDArray[Any]) -> NDArray[Any]:
    """Return rows with every column as coarse as was chosen."""
    found = x.copy()
    for place, each in enumerate(chosen):
        if each.ranges:
            found[:, place] = each.values[np.searchsorted(each.edges, x[:, place], side="right")]
    return found


def _with(x: NDArray[Any], place: int, each: Coarse) -> NDArray[Any]:
    found = x.copy()
    found[:, place] = each.values[np.searchsorted(each.edges, x[:, place], side="right")]
    return found


def _column(column: NDArray[Any], ranges: int, drop: float) -> Coarse:
    """Return a column in ranges of about as many rows each, each told by the mean of its rows."""
    edges = np.unique(np.quantile(column, np.linspace(0, 1, ranges + 1)[1:-1], method="higher"))
    edges = edges[edges > column.min()]
    places = np.searchsorted(edges, column, side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    values = np.bincount(places, weights=column, minlength=len(edges) + 1) / counts
    return Coarse(ranges=len(values), edges=edges, values=values, drop=drop)


def _accuracy(correct: Callable[[NDArray[Any]], NDArray[np.bool_] | None], x: NDArray[Any]) -> float | None:
    found = correct(x)
    return None if found is None else float(found.mean())
