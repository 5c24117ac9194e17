"""Blur: a soft lens, a lens out of focus, a camera that moved. Strengths are shares of the image's shorter side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.corruptions.convolution import convolve, disk, gaussian, lines
from redan.kernels.draws import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_SOFT = (0.015, 0.025, 0.040, 0.060, 0.085)
_FOCUS = (0.020, 0.035, 0.055, 0.080, 0.110)
_MOVED = (0.08, 0.14, 0.20, 0.28, 0.38)


def gaussian_blur(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Blur with a Gaussian; nothing is drawn."""
    return np.clip(convolve(x, gaussian(_SOFT[severity - 1] * _side(x))), 0, 1)


def defocus_blur(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Blur with a disk; nothing is drawn."""
    return np.clip(convolve(x, disk(_FOCUS[severity - 1] * _side(x))), 0, 1)


def motion_blur(x: NDArray[np.float32], severity: int, keys: Keys) -> NDArray[np.float32]:
    """Blur along a straight line, each image along one of its own."""
    angles = uniform(keys, (), stream=3) * np.float32(math.pi)
    return np.clip(convolve(x, lines(angles, _MOVED[severity - 1] * _side(x))), 0, 1)


def _side(x: NDArray[np.float32]) -> int:
    return int(min(x.shape[2:]))
