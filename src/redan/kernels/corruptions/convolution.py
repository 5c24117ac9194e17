"""Blurring (n, c, h, w) images with one kernel for all or one for each, edges repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def convolve(x: NDArray[np.float32], kernels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve images with kernels of odd side; values beyond an edge repeat it.

    Args:
        x: (n, c, h, w).
        kernels: (k, k) for all images or (n, k, k) for each its own.

    Returns:
        (n, c, h, w).
    """
    side = kernels.shape[-1]
    reach = side // 2
    wide = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    height, width = wide.shape[2:]
    filters = np.fft.rfft2(kernels.reshape(-1, 1, side, side), s=(height, width))
    spread = np.fft.irfft2(np.fft.rfft2(wide) * filters, s=(height, width))
    return np.asarray(spread[:, :, side - 1 :, side - 1 :], np.float32)


def gaussian(sigma: float) -> NDArray[np.float32]:
    """Return a Gaussian kernel of standard deviation ``sigma`` pixels, summing to 1."""
    reach = max(1, int(np.ceil(3 * sigma)))
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    line = np.exp(-0.5 * (steps / sigma) ** 2)
    square = np.outer(line, line)
    return np.asarray(square / square.sum(), np.float32)


def disk(radius: float) -> NDArray[np.float32]:
    """Return a disk of ``radius`` pixels with a soft rim, summing to 1: a lens out of focus."""
    reach = max(1, int(np.ceil(radius)))
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    distance = np.hypot(steps[:, None], steps[None, :])
    square = np.clip(radius + 0.5 - distance, 0, 1)
    return np.asarray(square / square.sum(), np.float32)


def lines(angles: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Return straight strokes of ``length`` pixels, one for each angle (radians), (n, k, k), each summing to 1."""
    reach = max(1, int(np.ceil(length / 2)))
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    along = steps[None, None, :] * cos + steps[None, :, None] * sin
    across = steps[None, :, None] * cos - steps[None, None, :] * sin
    square = np.clip(1 - np.abs(across), 0, 1) * np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return np.asarray(square / square.sum(axis=(1, 2), keepdims=True), np.float32)
