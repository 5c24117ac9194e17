"""Columns of tables live on different scales; an attack walks on one scale, the share of each column's range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset
    from redan.core.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """Lowest value and span of each column; inputs in [0, 1] inside, on the owner's scale outside."""

    low: NDArray[np.float64]
    span: NDArray[np.float64]

    def inward(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Map the owner's scale to [0, 1]."""
        return np.clip((np.asarray(x, np.float64) - self.low) / self.span, 0, 1).astype(np.float32)

    def outward(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Map [0, 1] back to the owner's scale."""
        return (np.asarray(x, np.float64) * self.span + self.low).astype(np.float32)


def scaling(subject: Subject, data: Dataset) -> Scaling | None:
    """Return the scaling of a table whose bounds nobody stated, or None where one box holds for every value.

    The range of each column is that of the data at hand; a constant column has a span of 1 and is moved like others.
    """
    if subject.bounds is not None or data.bounds is not None or data.x.ndim != 2:
        return None
    x = np.asarray(data.x, np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    return Scaling(low=low, span=np.where(high > low, high - low, 1.0))
