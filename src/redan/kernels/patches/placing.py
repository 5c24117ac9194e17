"""Where a patch can be stuck, and sticking it there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import integers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys


def side_of(shape: tuple[int, ...], area: float) -> int:
    """Return the side of the square that covers a share of an image (c, h, w), at least one pixel."""
    height, width = shape[-2:]
    return max(1, min(height, width, round(math.sqrt(area * height * width))))


def corners(shape: tuple[int, ...], side: int, places: int) -> NDArray[np.int64]:
    """Return an even grid of (top, left) corners from edge to edge, at most ``places`` along each axis, (k, 2)."""
    spans = [size - side for size in shape[-2:]]
    lines = [np.unique(np.round(np.linspace(0, span, min(places, span + 1))).astype(np.int64)) for span in spans]
    top, left = np.meshgrid(*lines, indexing="ij")
    return np.stack([top.reshape(-1), left.reshape(-1)], axis=1)


def drawn(keys: Keys, shape: tuple[int, ...], side: int, *, stream: int) -> NDArray[np.int64]:
    """Return one random corner for each key, (n, 2)."""
    spans = [size - side + 1 for size in shape[-2:]]
    axes = [integers(keys, (), span, stream=2 * stream + axis) for axis, span in enumerate(spans)]
    return np.stack(axes, axis=1)


def stick(x: NDArray[np.float32], patch: NDArray[np.float32], at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return images with a patch at given corners.

    Args:
        x: (n, c, h, w).
        patch: (c, s, s) for all or (n, c, s, s) for each its own.
        at: (n, 2) or (2,) corners.
    """
    covered = x.copy()
    side = patch.shape[-1]
    steps = np.arange(side)
    where = np.broadcast_to(at, (len(x), 2))
    rows = (where[:, 0, None] + steps)[:, None, :, None]
    columns = (where[:, 1, None] + steps)[:, None, None, :]
    samples, channels = np.arange(len(x))[:, None, None, None], np.arange(x.shape[1])[None, :, None, None]
    covered[samples, channels, rows, columns] = np.broadcast_to(patch, (len(x), *patch.shape[-3:]))
    return covered
