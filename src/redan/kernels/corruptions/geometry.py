"""Geometry: turned, nearer or farther, off the middle, on a wrinkled sheet. Lengths are shares of the shorter side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.corruptions.fields import sheet
from redan.kernels.corruptions.warping import affine, sample
from redan.kernels.draws import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_DEGREES = (5.0, 10.0, 15.0, 22.0, 30.0)
_ZOOM = (1.06, 1.12, 1.20, 1.30, 1.42)
_SHIFT = (0.04, 0.07, 0.10, 0.14, 0.18)
_WRINKLE = (0.010, 0.018, 0.027, 0.038, 0.050)


def rotation(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Turn left or right by a fixed angle."""
    degrees = _sign(keys, 7) * np.float32(_DEGREES[severity - 1])
    return affine(x, degrees=degrees, zoom=_ones(x), down=_zeros(x), right=_zeros(x))


def scale(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Enlarge or reduce by a fixed factor."""
    zoom = np.float32(_ZOOM[severity - 1]) ** _sign(keys, 8)
    return affine(x, degrees=_zeros(x), zoom=zoom, down=_zeros(x), right=_zeros(x))


def shift(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Move by a fixed length in any direction."""
    length = np.float32(_SHIFT[severity - 1] * min(x.shape[2:]))
    angle = uniform(keys, (), stream=9) * np.float32(math.tau)
    return affine(x, degrees=_zeros(x), zoom=_ones(x), down=length * np.sin(angle), right=length * np.cos(angle))


def elastic(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Draw the image on a sheet that is smoothly stretched."""
    height, width = x.shape[2:]
    strength = _WRINKLE[severity - 1] * min(height, width)
    rows = np.arange(height, dtype=np.float32)[None, :, None]
    columns = np.arange(width, dtype=np.float32)[None, None, :]
    down = sheet(keys, (height, width), strength=strength, stream=10)
    right = sheet(keys, (height, width), strength=strength, stream=11)
    return sample(x, rows + down, columns + right)


def _sign(keys: Keys, stream: int) -> NDArray[np.float32]:
    return np.where(uniform(keys, (), stream=stream) < 0.5, np.float32(-1), np.float32(1))


def _ones(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ones(len(x), np.float32)


def _zeros(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.zeros(len(x), np.float32)
