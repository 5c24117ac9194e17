"""Rows as another camera or client would send them: what is benign although no calibration row shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels import draws
from redan.kernels.corruptions.warping import affine
from redan.kernels.streams.look import is_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAIN = (0.6, 1.3)
OFFSET = (-0.1, 0.15)
"""As a share of the range of values."""
NOISE = 0.06
"""Most standard deviation of the noise, as a share of the range of values, or of a column's spread."""
BLUR = 0.7
"""Most weight of a 3 by 3 mean."""
DEGREES = 10.0
SHIFT = 1 / 14
"""Of a side."""
_DRAWS = 7


def disturbed(
    rows: NDArray[Any], seed: int, *, bounds: tuple[float, float], alike: bool = False
) -> NDArray[np.float32]:
    """Return each row disturbed, drawn by seed and place.

    Pictures are turned, moved, blurred, made brighter or darker, and get noise; rows of a table get noise alone.

    Args:
        rows: (n, …).
        seed: of the draws.
        bounds: lowest and highest legal value.
        alike: all rows in one way, as one camera does, with noise of their own.
    """
    x = np.asarray(rows, np.float32)
    keys = draws.sample_keys(seed, "nuisances", range(len(x)))
    told = draws.uniform(keys, (_DRAWS,), stream=0)
    told = np.broadcast_to(told[:1], told.shape) if alike else told
    noise = draws.normal(keys, x.shape[1:], stream=1)
    wide = (-1, *[1] * (x.ndim - 1))
    deviation = NOISE * told[:, 5].reshape(wide)
    if not is_picture(x.shape[1:]):
        return np.asarray(x + deviation * noise * x.std(axis=0), np.float32)
    low, high = bounds
    share = _blurred(_moved(x, told), BLUR * told[:, 2].reshape(wide)) - low
    gain = (GAIN[0] + (GAIN[1] - GAIN[0]) * told[:, 3]).reshape(wide)
    offset = (OFFSET[0] + (OFFSET[1] - OFFSET[0]) * told[:, 4]).reshape(wide)
    return np.asarray(np.clip(low + share * gain + (high - low) * (offset + deviation * noise), low, high), np.float32)


def _moved(x: NDArray[np.float32], told: NDArray[Any]) -> NDArray[np.float32]:
    h, w = x.shape[-2:]
    either = 2 * told - 1
    turned = affine(
        x.reshape(len(x), -1, h, w),
        degrees=np.asarray(DEGREES * either[:, 6], np.float32),
        zoom=np.ones(len(x), np.float32),
        down=SHIFT * h * either[:, 0],
        right=SHIFT * w * either[:, 1],
    )
    return turned.reshape(x.shape)


def _blurred(x: NDArray[np.float32], weight: NDArray[Any]) -> NDArray[np.float32]:
    h, w = x.shape[-2:]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    total = sum(padded[..., i : i + h, j : j + w] for i in range(3) for j in range(3))
    return np.asarray((1 - weight) * x + weight * total / 9, np.float32)
