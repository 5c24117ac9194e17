"""Sampling images at other places: the numpy side of rotation, zoom, shift and elastic sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample(x: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read images at fractional places, bilinearly; places beyond an edge read the edge.

    Args:
        x: (n, c, h, w).
        rows: (n, h, w) row to read for each pixel.
        columns: (n, h, w) column to read for each pixel.

    Returns:
        (n, c, h, w).
    """
    n, c, height, width = x.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top = np.minimum(rows.astype(np.int64), max(height - 2, 0))
    left = np.minimum(columns.astype(np.int64), max(width - 2, 0))
    down, right = (rows - top)[:, None].astype(np.float32), (columns - left)[:, None].astype(np.float32)
    flat = x.reshape(n, c, height * width)

    def at(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
        place = (np.minimum(row, height - 1) * width + np.minimum(column, width - 1)).reshape(n, 1, -1)
        return np.take_along_axis(flat, place, axis=2).reshape(x.shape)

    above = at(top, left) * (1 - right) + at(top, left + 1) * right
    below = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right
    return np.asarray(above * (1 - down) + below * down, np.float32)


def affine(
    x: NDArray[np.float32],
    *,
    degrees: NDArray[np.float32],
    zoom: NDArray[np.float32],
    down: NDArray[np.float32],
    right: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Turn, enlarge and move each image about its middle; what comes into view repeats the edge.

    Args:
        x: (n, c, h, w).
        degrees: (n,) counter-clockwise.
        zoom: (n,) factor; above 1 enlarges.
        down: (n,) pixels towards the bottom.
        right: (n,) pixels towards the right.
    """
    height, width = x.shape[2:]
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    row = np.arange(height, dtype=np.float64)[None, :, None] - middle_row - down[:, None, None]
    column = np.arange(width, dtype=np.float64)[None, None, :] - middle_column - right[:, None, None]
    radians = np.deg2rad(np.asarray(degrees, np.float64))
    cos, sin = (np.cos(radians) / zoom)[:, None, None], (np.sin(radians) / zoom)[:, None, None]
    # the exact places of the pixels themselves must survive the arithmetic, or no movement at all would blur
    from_rows = np.round(cos * row + sin * column + middle_row, 6)
    from_columns = np.round(-sin * row + cos * column + middle_column, 6)
    return sample(x, from_rows.astype(np.float32), from_columns.astype(np.float32))
