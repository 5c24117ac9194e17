"""Disagreement between the answers to an input and to its squeezed copies.

Source: Xu, Evans, Qi, "Feature squeezing: detecting adversarial examples in deep neural networks", NDSS 2018, sections
III (bit depth, median smoothing) and V (the largest L1 distance of probabilities).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Box

Probabilities: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Maps rows (n, …) to probabilities (n, k)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Squeezing:
    """Which copies are compared.

    Attributes:
        low: lowest legal value of an input.
        high: highest legal value.
        bits: depth of the copy with fewer levels.
        window: side of the median's window in the smoothed copy; 1 makes none. Rows that are no pictures get none.
    """

    low: float
    high: float
    bits: int = 3
    window: int = 2

    def copies(self, rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the squeezed copies of rows (n, …)."""
        found = [fewer_levels(rows, self.low, self.high, self.bits)]
        if rows.ndim == 4 and self.window > 1 and min(rows.shape[2:]) >= self.window:
            found.append(median(rows, self.window))
        return found

    def scores(self, rows: NDArray[np.float32], probabilities: Probabilities) -> NDArray[np.float64]:
        """Return the largest L1 distance between the answers to a row and to its copies, shape (n,), from 0 to 2.

        Args:
            rows: shape (n, …).
            probabilities: the model.

        Raises:
            ShapeMismatch: the model does not answer one row of probabilities for each.
        """
        asked = [rows, *self.copies(rows)]
        answers = np.asarray(probabilities(np.concatenate(asked)), dtype=np.float64)
        if answers.ndim != 2 or len(answers) != len(rows) * len(asked):
            raise ShapeMismatch(f"{len(rows) * len(asked)} rows need as many answers, got {answers.shape}")
        parts = answers.reshape(len(asked), len(rows), -1)
        apart: NDArray[np.float64] = np.abs(parts[1:] - parts[0]).sum(axis=2).max(axis=0)
        return np.where(np.isfinite(apart), apart, np.inf)


def squeezing(box: Box, *, bits: int = 3, window: int = 2) -> Squeezing:
    """Return a squeezing of inputs of that box.

    Raises:
        ShapeMismatch: fewer than one bit or more than 16, or a window without a side.
    """
    if not 1 <= bits <= 16 or window < 1:
        raise ShapeMismatch(f"squeezing keeps 1 to 16 bits under a window of at least 1, got {bits} and {window}")
    return Squeezing(low=box.low, high=box.high, bits=bits, window=window)


def fewer_levels(rows: NDArray[np.float32], low: float, high: float, bits: int) -> NDArray[np.float32]:
    """Round to 2**bits levels between low and high."""
    levels, span = 2**bits - 1, high - low
    rounded: NDArray[np.float32] = (np.rint((rows - low) / span * levels) / levels * span + low).astype(np.float32)
    return rounded


def median(pictures: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Median over a square window of pictures (n, c, h, w), mirrored at the edges, down and right of each pixel."""
    before, after = (window - 1) // 2, window // 2
    padded = np.pad(pictures, ((0, 0), (0, 0), (before, after), (before, after)), mode="reflect")
    height, width = pictures.shape[2:]
    views = [padded[:, :, i : i + height, j : j + width] for i in range(window) for j in range(window)]
    smooth: NDArray[np.float32] = np.median(np.stack(views), axis=0).astype(np.float32)
    return smooth
