"""Noise of sensors: read-out noise, few photons, dead and hot pixels.

Every corruption maps (n, c, h, w) images within [0, 1], a severity of 1 to 5 and (n,) keys to images within [0, 1].
The kinds and the five severities follow Hendrycks & Dietterich 2019; formulas and strengths are our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_DEVIATION = (0.05, 0.10, 0.15, 0.22, 0.30)
_PHOTONS = (80.0, 40.0, 20.0, 10.0, 5.0)
_DEFECTS = (0.02, 0.05, 0.09, 0.15, 0.24)


def gaussian_noise(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Add normal noise of the same strength everywhere."""
    return np.clip(x + np.float32(_DEVIATION[severity - 1]) * normal(keys, x.shape[1:], stream=0), 0, 1)


def shot_noise(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Count photons: whole numbers whose variance is their mean.

    Source: Anscombe, "The transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 1948: the
    square root of a Poisson count plus 3/8 is nearly normal with variance 1/4, which is read backwards here, less the
    1/4 that squaring adds to the mean.
    """
    photons = np.float32(_PHOTONS[severity - 1])
    root = np.sqrt(x * photons + np.float32(0.375)) + normal(keys, x.shape[1:], stream=1) / 2
    counted = np.where(x > 0, np.round(np.maximum(root, 0) ** 2 - np.float32(0.625)), 0)
    return np.asarray(np.clip(counted / photons, 0, 1), np.float32)


def impulse_noise(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Make a share of the values dark or bright."""
    drawn = uniform(keys, x.shape[1:], stream=2)
    share = _DEFECTS[severity - 1]
    return np.where(drawn < share / 2, np.float32(0), np.where(drawn < share, np.float32(1), x))
