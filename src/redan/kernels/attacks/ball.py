"""Where an adversarial point may lie: a ball around the input and a box around all inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

Norm: TypeAlias = Literal["linf", "l2"]
"""Name of a distance: the largest or the Euclidean."""


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
    """The norm, "linf" or "l2"."""
    eps: float
    """Radius, > 0."""
    box: Box
    """Bounds of the inputs."""

    def __post_init__(self) -> None:
        """Refuse an unknown norm and a radius that is no radius."""
        if self.norm not in {"linf", "l2"}:
            msg = f'norm must be "linf" or "l2", got {self.norm!r}'
            raise ValueError(msg)
        if not 0 < self.eps < math.inf:
            msg = f"eps must be a positive finite number, got {self.eps}"
            raise ValueError(msg)
