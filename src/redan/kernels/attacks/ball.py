"""Where an adversarial point may lie: a ball around the input and a box around all inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Norm: TypeAlias = Literal["linf", "l2", "l1", "l0"]
"""Name of a distance: the largest change of a value, the Euclidean one, the sum of all changes, or how many values
changed (a pixel of three channels counts up to three)."""
NORMS: tuple[Norm, ...] = get_args(Norm)
"""All of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The interval every coordinate of an input must stay in."""

    low: float
    """Smallest legal value."""
    high: float
    """Largest legal value."""

    def __post_init__(self) -> None:
        """Refuse an empty interval."""
        if not self.low < self.high:
            msg = f"bounds must satisfy low < high, got [{self.low}, {self.high}]"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """All points of the box within `eps` of an input under `norm`."""

    norm: Norm
    """The norm: "linf", "l2", "l1" or "l0"."""
    eps: float
    """Radius, > 0; under "l0" the number of values that may change, >= 1, of which the whole part counts."""
    box: Box
    """Bounds of the inputs."""

    def __post_init__(self) -> None:
        """Refuse an unknown norm and a radius that is no radius."""
        if self.norm not in NORMS:
            msg = f"norm must be one of {', '.join(NORMS)}, got {self.norm!r}"
            raise ValueError(msg)
        if not 0 < self.eps < math.inf:
            msg = f"eps must be a positive finite number, got {self.eps}"
            raise ValueError(msg)
        if self.norm == "l0" and self.eps < 1:
            msg = f"under l0 eps counts values, so it must be at least 1, got {self.eps}"
            raise ValueError(msg)
