"""Rows of mixed columns as numbers, and how far they lie from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 4_000_000
"""Distances that are held at a time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixed:
    """Tables of the same columns.

    Attributes:
        names: of the d columns.
        numeric: (d,) bool: numbers; the others are categories.
        span: (d,) width of each numeric column over all tables, 1 for categories.
        sides: (n, d) float64 each: numbers, codes of categories, NaN for a missing number.
    """

    names: tuple[str, ...]
    numeric: NDArray[np.bool_]
    span: NDArray[np.float64]
    sides: tuple[NDArray[np.float64], ...]


def mixed(names: tuple[str, ...], columns: tuple[tuple[NDArray[Any], ...], ...]) -> Mixed:
    """Encode tables.

    Args:
        names: of the columns.
        columns: for each column its values in each table: float64 with NaN where missing, or objects (str).
    """
    numeric = np.array([all(side.dtype.kind == "f" for side in column) for column in columns], bool)
    coded = [column if number else _codes(column) for column, number in zip(columns, numeric, strict=True)]
    spans = [_span(column) if number else 1.0 for column, number in zip(coded, numeric, strict=True)]
    sides = tuple(np.stack(side, axis=1).astype(np.float64) for side in zip(*coded, strict=True))
    return Mixed(names=names, numeric=numeric, span=np.array(spans), sides=sides)


def _codes(column: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.float64], ...]:
    together = np.concatenate([side.astype(str) for side in column])
    _, codes = np.unique(together, return_inverse=True)
    ends = np.cumsum([len(side) for side in column])[:-1]
    return tuple(part.astype(np.float64) for part in np.split(codes, ends))


def _span(column: tuple[NDArray[Any], ...]) -> float:
    known = np.concatenate([side[np.isfinite(side)] for side in column])
    width = float(known.max() - known.min()) if len(known) else 0.0
    return width if width > 0 else 1.0


def apart(data: Mixed, targets: NDArray[Any], pool: NDArray[Any], place: int) -> NDArray[np.float32]:
    """Return how far targets and pool lie apart in one column, (n, m): the share of its span, 0 or 1 for categories.

    A missing number is as far as can be from a known one and equal to another missing one.

    Source: Gower 1971, "A general coefficient of similarity and some of its properties", sections 2 and 3.
    """
    one, other = targets[:, place], pool[:, place]
    if not data.numeric[place]:
        return np.asarray(one[:, None] != other[None], np.float32)
    # scaled before it is made short, so that a column of times since 1970 keeps its differences
    base = one[np.isfinite(one)][:1].sum()
    short, long = (np.asarray((side - base) / data.span[place], np.float32) for side in (one, other))
    gap = np.abs(short[:, None] - long[None])
    if np.isnan(gap).any():
        both = np.isnan(short)[:, None] & np.isnan(long)[None]
        gap = np.where(both, np.float32(0), np.nan_to_num(gap, nan=1.0))
    return np.asarray(gap, np.float32)


def nearest(data: Mixed, targets: NDArray[Any], pool: NDArray[Any], columns: list[int], k: int) -> NDArray[np.int64]:
    """Return the places in the pool of the k nearest rows of each target over some columns, (n, k).

    Of several at the same distance those that stand first in the pool are more often taken; whoever calls shuffles it.
    """
    size = max(1, BLOCK // max(1, len(pool)))
    found = []
    for start in range(0, len(targets), size):
        block = targets[start : start + size]
        total = np.zeros((len(block), len(pool)), np.float32)
        for place in columns:
            total += apart(data, block, pool, place)
        if k == 1:
            found.append(total.argmin(axis=1)[:, None])
        else:
            found.append(np.argpartition(total, min(k, len(pool)) - 1, axis=1)[:, :k])
    return np.concatenate(found) if found else np.zeros((0, k), np.int64)
