"""What inputs look like without what a camera or a client adds: small, and for pictures free of brightness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 14
"""Pixels a side, at most, that pictures are pooled to."""
LEAST_SIDE = 8
WIDEST = 5.0
"""Standard deviations at which values of a table are cut: one wild cell is one strange cell."""
_TINY = 1e-6


def is_picture(shape: tuple[int, ...]) -> bool:
    """Return whether rows of this shape are pictures: (h, w) or (c, h, w) of at least 8 pixels a side."""
    return len(shape) in (2, 3) and min(shape[-2:]) >= LEAST_SIDE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """How rows of one shape become vectors.

    Pictures are pooled, less their own mean and scaled to length 1, so that brightness and contrast do not count;
    other rows are standardised by column, cut at 5 deviations and divided by the square root of their width.

    Attributes:
        shape: of one row.
        mean: (d,) of columns; empty for pictures.
        spread: (d,) of columns; empty for pictures.
    """

    shape: tuple[int, ...]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    def of(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vectors (n, d) of rows (n, …).

        Raises:
            ShapeMismatch: rows of another shape.
        """
        if tuple(rows.shape[1:]) != self.shape:
            raise ShapeMismatch(f"rows of shape {self.shape} are expected, got {tuple(rows.shape[1:])}")
        if is_picture(self.shape):
            flat = pooled(rows).reshape(len(rows), -1)
            centred = flat - flat.mean(axis=1, keepdims=True)
            length = np.linalg.norm(centred, axis=1, keepdims=True)
            return np.asarray(centred / np.maximum(length, _TINY), np.float32)
        flat = np.asarray(rows, np.float32).reshape(len(rows), -1)
        away = np.clip((flat - self.mean) / self.spread, -WIDEST, WIDEST)
        return np.asarray(away / math.sqrt(max(1, flat.shape[1])), np.float32)


def look_of(rows: NDArray[Any]) -> Look:
    """Learn the look of rows (n, …) with n at least 1."""
    shape = tuple(int(side) for side in rows.shape[1:])
    if is_picture(shape):
        none = np.empty(0, np.float32)
        return Look(shape=shape, mean=none, spread=none)
    flat = np.asarray(rows, np.float32).reshape(len(rows), -1)
    spread = flat.std(axis=0)
    # a column that never moved is measured on the scale of the others
    scale = float(np.median(spread[spread > _TINY])) if (spread > _TINY).any() else 1.0
    return Look(shape=shape, mean=flat.mean(axis=0), spread=np.where(spread > _TINY, spread, scale).astype(np.float32))


def pooled(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return pictures (n, …, h, w) as means of equal squares, at most 14 a side; edges are repeated to fill up."""
    x = np.asarray(rows, np.float32)
    h, w = x.shape[-2:]
    tall, wide = math.ceil(h / SIDE), math.ceil(w / SIDE)
    if tall == wide == 1:
        return x
    fill = [(0, 0)] * (x.ndim - 2) + [(0, -h % tall), (0, -w % wide)]
    full = np.pad(x, fill, mode="edge")
    small = full.reshape(*full.shape[:-2], full.shape[-2] // tall, tall, full.shape[-1] // wide, wide)
    return np.asarray(small.mean(axis=(-3, -1)), np.float32)
