"""Principal components: few columns that say most of what many say, for linear models and distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 64
FURTHEST = 20.0
"""Standard deviations at which a column is cut off: one absurd cell must not decide all axes."""
_PART = 8192


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Principal:
    """A linear map of rows to their principal components.

    Attributes:
        mean: (d,) of each column.
        scale: (d,) standard deviation of each column, 1 where a column is constant.
        axes: (d, k) orthonormal directions of the standardised columns, by falling variance.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]

    def of(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Map rows (n, …) of d numbers to (n, k)."""
        flat = np.asarray(rows).reshape(len(rows), -1)
        parts = [_standard(flat[i : i + _PART], self) @ self.axes for i in range(0, len(flat), _PART)]
        return np.concatenate(parts) if parts else np.zeros((0, self.axes.shape[1]))


def principal(rows: NDArray[Any], most: int = MOST) -> Principal:
    """Find the axes of rows (n, …), n > 0: at most ``most``, and no more than there are columns.

    Source: Pearson 1901, "On lines and planes of closest fit to systems of points in space".
    """
    flat = np.asarray(rows).reshape(len(rows), -1)
    mean, spread = flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64)
    plain = Principal(mean=mean, scale=np.where(spread > 0, spread, 1.0), axes=np.zeros((flat.shape[1], 0)))
    moments = np.zeros((flat.shape[1], flat.shape[1]))
    for start in range(0, len(flat), _PART):
        part = _standard(flat[start : start + _PART], plain)
        moments += part.T @ part
    _, vectors = np.linalg.eigh(moments)
    return Principal(mean=mean, scale=plain.scale, axes=vectors[:, ::-1][:, :most].copy())


def _standard(flat: NDArray[Any], found: Principal) -> NDArray[np.float64]:
    standard: NDArray[np.float64] = np.clip((flat - found.mean) / found.scale, -FURTHEST, FURTHEST)
    return standard
