"""Rows that occur twice, exactly or nearly."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import integers, sample_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MOST_STEPS = 4096
"""Neighbours along a line that a row is compared with: bounds the work where everything lies close together."""
_LINES = 6
_JUDGED = 2000
_PAIRS = 20_000
_PART = 65_536


def groups(x: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each of n rows the first row with the same bytes, its own place where there is none before."""
    first: dict[bytes, int] = {}
    flat = np.ascontiguousarray(x)
    return np.asarray([first.setdefault(sha256(row.tobytes()).digest(), i) for i, row in enumerate(flat)], np.int64)


def typical_distance(flat: NDArray[np.float32], seed: int) -> float:
    """Return the median Euclidean distance of pairs drawn from n > 1 rows (n, d)."""
    keys = sample_keys(seed, "odd_rows.pairs", np.arange(_PAIRS))
    one, other = integers(keys, (2,), len(flat), stream=0).T
    one, other = one[one != other][:2000], other[one != other][:2000]
    return float(np.median(np.sqrt(((flat[one] - flat[other]) ** 2).sum(axis=1, dtype=np.float64))))


def near_pairs(
    flat: NDArray[np.float32], radius: float, stop: Callable[[], object] = lambda: None
) -> tuple[NDArray[np.int64], bool]:
    """Return pairs (m, 2) of rows (n, d) within a Euclidean radius, and whether all were found.

    A distance along a line is no longer than the distance itself, so rows are ordered along the first principal axis
    and compared with those that follow within the radius; further axes sort most of them out.

    Args:
        flat: rows, no two alike, or the work grows with the square of the repeats.
        radius: above 0.
        stop: asked between steps.
    """
    lines = flat @ _axes(flat)
    order = np.argsort(lines[:, 0], kind="stable")
    placed = np.ascontiguousarray(lines[order].T)
    found: list[NDArray[np.int64]] = []
    for step in range(1, min(MOST_STEPS, len(flat) - 1) + 1):
        if stop():
            return _sorted(found), False
        close = np.flatnonzero(placed[0, step:] - placed[0, :-step] <= radius)
        if not len(close):
            return _sorted(found), True
        for line in placed[1:]:
            close = close[np.abs(line[close + step] - line[close]) <= radius]
        found.append(_within(flat, order[close], order[close + step], radius))
    return _sorted(found), len(flat) - 1 <= MOST_STEPS


def _axes(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return orthonormal lines (d, k) along which the rows spread most, judged by evenly spaced ones."""
    some = flat[:: max(1, len(flat) // _JUDGED)].astype(np.float64)
    _, vectors = np.linalg.eigh((some - some.mean(axis=0)).T @ (some - some.mean(axis=0)))
    return np.asarray(vectors[:, ::-1][:, :_LINES], np.float32)


def _within(
    flat: NDArray[np.float32], one: NDArray[np.int64], other: NDArray[np.int64], radius: float
) -> NDArray[np.int64]:
    kept = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(one), _PART):
        a, b = one[start : start + _PART], other[start : start + _PART]
        inside = ((flat[a] - flat[b]) ** 2).sum(axis=1, dtype=np.float64) <= radius * radius
        kept.append(np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)[inside])
    return np.concatenate(kept)


def _sorted(found: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *found])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
