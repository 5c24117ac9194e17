"""Random fields: clouds for fog, and sheets of displacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys


def cloud(keys: Keys, shape: tuple[int, ...], *, roughness: float, stream: int) -> NDArray[np.float32]:
    """Return fields whose amplitude falls as frequency to the power of minus ``roughness``, each from 0 to 1.

    Args:
        keys: (n,).
        shape: height and width.
        roughness: above 0; the higher, the smoother.
        stream: of the draws.

    Returns:
        (n, h, w).
    """
    height, width = shape
    white = np.fft.rfft2(normal(keys, (height, width), stream=stream))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(white * frequency**-roughness, s=(height, width))
    low, high = field.min(axis=(1, 2), keepdims=True), field.max(axis=(1, 2), keepdims=True)
    return np.asarray((field - low) / np.maximum(high - low, 1e-12), np.float32)


def sheet(keys: Keys, shape: tuple[int, ...], *, strength: float, stream: int) -> NDArray[np.float32]:
    """Return smooth fields of mean 0 and root mean square ``strength``, (n, h, w)."""
    field = cloud(keys, shape, roughness=3.0, stream=stream)
    centred = field - field.mean(axis=(1, 2), keepdims=True)
    size = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    return np.asarray(np.float32(strength) * centred / np.maximum(size, 1e-12), np.float32)
