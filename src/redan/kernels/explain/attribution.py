"""What an explanation is: one number for each value of each input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Probabilities: TypeAlias = Callable[[NDArray[Any]], NDArray[np.float64]]
"""(n, …) inputs to (n, classes) probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """How much each value of each input speaks for the class that was answered.

    Attributes:
        method: the field's short name.
        values: (n, …) float64, shape of the inputs; positive speaks for the class.
        calls: inputs that the model was asked about, or gradients taken.
        cpu_s: CPU seconds.
    """

    method: str
    values: NDArray[np.float64]
    calls: int
    cpu_s: float


def importance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean size of each value's attribution over the inputs, (d,) with inputs flattened."""
    return np.asarray(np.abs(values.reshape(len(values), -1)).mean(axis=0))
