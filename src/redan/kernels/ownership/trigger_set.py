"""Inputs of no class with labels that only the key knows, which a marked model has learned.

Source: Adi, Baum, Cisse, Pinkas & Keshet 2018, "Turning your weakness into a strength: watermarking deep neural
networks by backdooring", sections 3 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.ownership.secret import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOBS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriggerSet:
    """Secret inputs with secret labels.

    Attributes:
        x: (k, …) float32 inputs within the bounds.
        y: (k,) int64 labels, drawn by the key and independent of the inputs.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]


def trigger_set(key: bytes, k: int, shape: tuple[int, ...], classes: int, *, bounds: tuple[float, float]) -> TriggerSet:
    """Draw abstract inputs and labels from a key.

    Images are a few soft blobs of random place, size and brightness, which no data set holds and which survive
    rescaling; other inputs are uniform within the bounds.

    Args:
        key: the owner's secret.
        k: how many.
        shape: of one input.
        classes: classes of the model.
        bounds: lowest and highest legal value.
    """
    draws = stream(key, "trigger set")
    low, high = bounds
    if len(shape) == 3 and min(shape[1:]) >= 4:
        x = np.stack([_blobs(draws, shape) for _ in range(k)])
    else:
        x = draws.random((k, *shape))
    labels = stream(key, "trigger labels").integers(0, classes, k)
    return TriggerSet(x=(low + (high - low) * x).astype(np.float32), y=labels.astype(np.int64))


def _blobs(draws: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    channels, height, width = shape
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.zeros(shape)
    for _ in range(BLOBS):
        top, left = draws.random(2) * (height, width)
        spread = (0.06 + 0.14 * draws.random()) * min(height, width)
        blob = np.exp(-((rows - top) ** 2 + (columns - left) ** 2) / (2 * spread**2))
        image += blob * draws.uniform(-1, 1, (channels, 1, 1))
    spread_of = image.max() - image.min()
    return np.asarray((image - image.min()) / (spread_of or 1.0))
