"""The suites of corruptions by name: one for images, one for tables."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.corruptions import blur, digital, geometry, noise, tables, weather

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

    Corruption = Callable[[NDArray[Any], int, Keys], NDArray[Any]]

SEVERITIES = (1, 2, 3, 4, 5)

IMAGES: Mapping[str, Corruption] = {
    "gaussian noise": noise.gaussian_noise,
    "shot noise": noise.shot_noise,
    "impulse noise": noise.impulse_noise,
    "gaussian blur": blur.gaussian_blur,
    "defocus blur": blur.defocus_blur,
    "motion blur": blur.motion_blur,
    "fog": weather.fog,
    "snow": weather.snow,
    "brightness": weather.brightness,
    "contrast": weather.contrast,
    "rotation": geometry.rotation,
    "scale": geometry.scale,
    "shift": geometry.shift,
    "elastic": geometry.elastic,
    "pixelate": digital.pixelate,
    "jpeg": digital.jpeg,
}
"""Name → corruption of (n, c, h, w) images within [0, 1]."""


def images(low: float, high: float) -> Mapping[str, Corruption]:
    """Return the image suite for inputs (n, c, h, w) or (n, h, w) within [low, high]."""
    return {name: _within(corrupt, low, high) for name, corrupt in IMAGES.items()}


def rows(x: NDArray[Any]) -> Mapping[str, Corruption]:
    """Return the suite for tables like ``x``, (n, d), whose columns say what is usual."""
    columns = tables.Columns.of(x)
    kinds = (tables.noise, tables.missing, tables.rounding, tables.units, tables.drift)
    return {kind.__name__: partial(kind, columns=columns) for kind in kinds}


def _within(corrupt: Corruption, low: float, high: float) -> Corruption:
    span = high - low

    def scaled(x: NDArray[Any], severity: int, keys: Keys) -> NDArray[Any]:
        flat = (np.clip(np.asarray(x, np.float32), low, high) - low) / span
        unit = flat.reshape(len(x), -1, *x.shape[-2:]) if x.ndim == 4 else flat[:, None]
        moved = corrupt(unit.astype(np.float32), severity, keys).reshape(x.shape)
        return np.clip(moved * span + low, low, high).astype(np.float32)

    return scaled
