"""Equivalence classes: rows that look alike in the columns somebody may know.

Source: Sweeney (2002), k-anonymity: a model for protecting privacy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]


def codes_of(column: NDArray[Any]) -> Codes:
    """Return for each cell the place of its value among the sorted values; a missing number is a value of its own.

    Args:
        column: cells, shape (n,); numbers or text.
    """
    if column.dtype == object:
        column = column.astype(str)
    return np.unique(column, return_inverse=True, equal_nan=column.dtype.kind == "f")[1].reshape(-1).astype(np.int64)


def classes(columns: Sequence[Codes]) -> Codes:
    """Return for each row the number of its class, counted from 0 without gaps.

    Args:
        columns: codes of each column, each of shape (n,).

    Raises:
        ShapeMismatch: no column, or columns of different lengths.
    """
    if not columns or len({len(column) for column in columns}) != 1:
        raise ShapeMismatch("classes need one column or more, all of the same length")
    found = columns[0]
    for column in columns[1:]:
        # codes are made dense after every column, so that the product stays below rows squared
        width = int(column.max(initial=0)) + 1
        found = np.unique(found * width + column, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return codes_of(found)


def class_sizes(found: Codes) -> Codes:
    """Return how many rows each class has; the least is k."""
    return np.bincount(found).astype(np.int64)


def small_rows(found: Codes, k: int) -> NDArray[np.bool_]:
    """Return which rows lie in a class of fewer than `k` rows: those to leave out to reach `k` at once."""
    return class_sizes(found)[found] < k
