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

CELLS = 4
"""Cells along each side of a trigger image."""


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

    Images are a few large cells of random brightness, which no data set holds, which survive rescaling, and which a
    network tells apart more easily than soft shapes; other inputs are uniform within the bounds.

    Args:
        key: the owner's secret.
        k: how many.
        shape: of one input.
        classes: classes of the model.
        bounds: lowest and highest legal value.
    """
    draws = stream(key, "trigger set")
    low, high = bounds
    pictures = len(shape) == 3 and min(shape[1:]) >= CELLS
    x = _cells(draws, k, shape) if pictures else draws.random((k, *shape))
    labels = stream(key, "trigger labels").integers(0, classes, k)
    return TriggerSet(x=(low + (high - low) * x).astype(np.float32), y=labels.astype(np.int64))


def _cells(draws: np.random.Generator, k: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    channels, height, width = shape
    coarse = draws.random((k, channels, CELLS, CELLS))
    rows, columns = (np.arange(size) * CELLS // size for size in (height, width))
    return np.asarray(coarse[:, :, rows][..., columns])
