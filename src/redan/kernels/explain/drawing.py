"""Explanations as pictures: the image, and what speaks for and against its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.pictures import LEAST_PIXELS, png

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GAP = 4
FOR, AGAINST = np.array([214, 39, 40]), np.array([31, 119, 180])


def sheet(images: NDArray[Any], values: list[NDArray[np.float64]], *, low: float, high: float) -> bytes:
    """Draw one line an image: the image itself, then one panel an explanation.

    What speaks for the class is red, what speaks against it blue, over the image in pale grey.

    Args:
        images: (n, c, h, w) or (n, h, w), n at least 1.
        values: explanations, each of the images' shape.
        low: darkest value of an image.
        high: brightest value.
    """
    lines = []
    for row, image in enumerate(images):
        grey = _grey(image, low, high)
        panels = [_enlarged(np.repeat(grey[..., None], 3, axis=2))]
        panels += [_enlarged(_over(grey, each[row])) for each in values]
        lines.append(_joined(panels, axis=1))
    return png(_joined(lines, axis=0))


def _grey(image: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    flat = image if image.ndim == 2 else image.mean(axis=0)
    return np.asarray(np.clip((flat - low) / (high - low), 0, 1) * 255)


def _over(grey: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    heat = values if values.ndim == 2 else values.sum(axis=0)
    top = float(np.quantile(np.abs(heat), 0.99)) or 1.0
    weight = np.clip(np.abs(heat) / top, 0, 1)[..., None]
    pale = np.repeat((160 + grey * 0.37)[..., None], 3, axis=2)
    return np.asarray(pale * (1 - weight) + np.where((heat > 0)[..., None], FOR, AGAINST) * weight)


def _enlarged(panel: NDArray[np.float64]) -> NDArray[np.uint8]:
    factor = max(1, -(-LEAST_PIXELS // min(panel.shape[:2])))
    return np.repeat(np.repeat(np.round(panel).astype(np.uint8), factor, axis=0), factor, axis=1)


def _joined(panels: list[NDArray[np.uint8]], *, axis: int) -> NDArray[np.uint8]:
    shape = list(panels[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for panel in panels for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=axis)
