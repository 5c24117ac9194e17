"""Weather-like changes: fog, snow, much light, little contrast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.corruptions.convolution import convolve, lines
from redan.kernels.corruptions.fields import cloud
from redan.kernels.draws import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_FOG = (0.20, 0.32, 0.44, 0.56, 0.68)
_FLAKES = (0.02, 0.04, 0.06, 0.09, 0.13)
_HAZE = (0.05, 0.10, 0.15, 0.20, 0.28)
_LIGHT = (0.10, 0.20, 0.30, 0.40, 0.50)
_CONTRAST = (0.65, 0.50, 0.35, 0.22, 0.12)
_STROKE = 0.12


def fog(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Lay a bright, cloudy veil over the image; all channels alike."""
    veil = np.float32(0.6) + np.float32(0.4) * cloud(keys, x.shape[2:], roughness=2.0, stream=4)
    dense = np.float32(_FOG[severity - 1])
    return np.asarray(np.clip((1 - dense) * x + dense * veil[:, None], 0, 1), np.float32)


def snow(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Add bright strokes that fall in one direction, and a haze behind them."""
    flakes = (uniform(keys, (1, *x.shape[2:]), stream=5) < _FLAKES[severity - 1]).astype(np.float32)
    angles = np.float32(math.pi / 2) + (uniform(keys, (), stream=6) - np.float32(0.5))
    strokes = lines(angles, _STROKE * min(x.shape[2:]))
    fallen = convolve(flakes, strokes / strokes.max(axis=(1, 2), keepdims=True))
    haze = np.float32(_HAZE[severity - 1])
    return np.asarray(np.clip(x + haze * (1 - x) + np.clip(fallen, 0, 1), 0, 1), np.float32)


def brightness(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Add light; nothing is drawn."""
    return np.asarray(np.clip(x + np.float32(_LIGHT[severity - 1]), 0, 1), np.float32)


def contrast(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Pull every channel towards its mean; nothing is drawn."""
    mean = x.mean(axis=(2, 3), keepdims=True)
    return np.asarray(np.clip(mean + np.float32(_CONTRAST[severity - 1]) * (x - mean), 0, 1), np.float32)
