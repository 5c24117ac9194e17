"""What happens to rows of tables without an adversary: noise, gaps, rounding, other units, drift.

Every corruption maps (n, d) rows, a severity of 1 to 5, (n,) keys and the columns' usual values to (n, d) rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

_NOISE = (0.05, 0.10, 0.20, 0.35, 0.50)
_GAPS = (0.02, 0.05, 0.10, 0.20, 0.35)
_ROUNDED = (0.10, 0.25, 0.50, 0.75, 1.00)
_UNITS = (1.02, 1.05, 1.10, 1.20, 1.35)
_DRIFT = (0.05, 0.10, 0.20, 0.35, 0.50)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """What is usual in each column.

    Attributes:
        middle: (d,) median.
        spread: (d,) standard deviation; 0 for a constant column, which nothing here moves but gaps and units.
    """

    middle: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, x: NDArray[Any]) -> Columns:
        """Measure the columns of (n, d) rows."""
        wide = np.sort(np.asarray(x, np.float64), axis=0)
        return cls(middle=np.median(wide, axis=0), spread=wide.std(axis=0))


def noise(x: NDArray[Any], severity: int, keys: Keys, columns: Columns) -> NDArray[np.float64]:
    """Add normal noise in proportion to each column's spread."""
    return x + _NOISE[severity - 1] * columns.spread * normal(keys, x.shape[1:], stream=20)


def missing(x: NDArray[Any], severity: int, keys: Keys, columns: Columns) -> NDArray[np.float64]:
    """Lose a share of the values, filled with the column's median as an importer would."""
    lost = uniform(keys, x.shape[1:], stream=21) < _GAPS[severity - 1]
    return np.where(lost, columns.middle, x)


def rounding(x: NDArray[Any], severity: int, keys: Keys, columns: Columns) -> NDArray[np.float64]:
    """Round to multiples of a share of each column's spread; nothing is drawn."""
    step = np.where(columns.spread > 0, _ROUNDED[severity - 1] * columns.spread, 1.0)
    return np.where(columns.spread > 0, np.round(x / step) * step, x)


def units(x: NDArray[Any], severity: int, keys: Keys, columns: Columns) -> NDArray[np.float64]:
    """Multiply or divide half of the columns of each row by a factor, as a wrong calibration does."""
    drawn = uniform(keys, x.shape[1:], stream=22)
    factor = _UNITS[severity - 1]
    return x * np.where(drawn < 0.25, factor, np.where(drawn < 0.5, 1 / factor, 1.0))


def drift(x: NDArray[Any], severity: int, keys: Keys, columns: Columns) -> NDArray[np.float64]:
    """Move every column of a row up or down by a share of its spread."""
    side = np.where(uniform(keys, x.shape[1:], stream=23) < 0.5, -1.0, 1.0)
    return x + side * _DRIFT[severity - 1] * columns.spread
