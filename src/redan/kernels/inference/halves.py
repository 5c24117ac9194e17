"""Which reference models learn from which records: random halves in pairs, each class split evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def halves(draws: Sequence[NDArray[Any]], y: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which model learns from which record: (2 * pairs, n) bool, the second of a pair from what the first left.

    So every record is inside for exactly half of the models, whoever it belongs to, and nothing about membership of
    the model under attack can be read off the split. Both halves hold every class that occurs twice.

    Args:
        draws: one (n,) array of random numbers for each pair.
        y: (n,) classes.
    """
    inside = np.zeros((2 * len(draws), len(y)), np.bool_)
    for pair, draw in enumerate(draws):
        order = np.lexsort((draw, y))
        place = np.empty(len(y), np.int64)
        starts = np.searchsorted(y[order], y[order], side="left")
        place[order] = np.arange(len(y)) - starts
        # odd classes give their extra record to the first model in turn, else the halves would differ in size
        extra = np.unique(y, return_inverse=True)[1].reshape(-1) % 2
        inside[2 * pair] = (place + extra) % 2 == 0
        inside[2 * pair + 1] = ~inside[2 * pair]
    return inside
