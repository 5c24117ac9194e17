"""What an evasion cascade found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from redan.kernels.attacks.oracle import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """The nearest fallen points that a minimum-norm attack found."""

    adversarial: Tensor
    """Nearest point at which the sample falls, shape (n, ...); the input itself where none was found."""
    distance: Tensor
    """Its distance under the norm, float64, shape (n,); infinity where none was found."""

    @property
    def success(self) -> Tensor:
        """Whether any such point was found, bool, shape (n,)."""
        return torch.isfinite(self.distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evasion:
    """What the cascade found; n samples."""

    adversarial: Tensor
    """A misclassified point inside ball and box for each sample that fell, else the input; shape (n, ...)."""
    success: Tensor
    """Whether the model errs on the sample or on its adversarial point, shape (n,)."""
    stage: Tensor
    """Place in `stages` where the sample fell (0: misclassified without attack), -1 for survivors; int64, (n,)."""
    stages: tuple[str, ...]
    """Names of the stages in order."""
    distance: Tensor
    """Distance to the nearest misclassified point met, float64, (n,): an upper bound of the true minimal distance.
    0 for samples misclassified without attack, infinity where none was met, above eps for survivors."""
    margin: Tensor
    """Lowest margin met inside the ball, (n,); negative where the sample fell."""
    counts: Counts
    """Samples pushed through the model."""
    complete: bool
    """Whether the whole plan ran."""
    reason: str | None
    """Why it did not."""
    notes: tuple[str, ...] = ()
    """What was done otherwise than planned, one sentence each."""

    @property
    def robust_accuracy(self) -> float:
        """Share of all samples that did not fall; NaN for an empty set."""
        return float((~self.success).double().mean())

    def waterfall(self) -> tuple[tuple[str, int], ...]:
        """How many samples fell at each stage."""
        return tuple((name, int((self.stage == place).sum())) for place, name in enumerate(self.stages))

    def curve(self, radii: Sequence[float]) -> tuple[float, ...]:
        """Accuracy at each radius, from the minimal distances: an upper bound of the true accuracy there."""
        return tuple(float((self.distance > radius).double().mean()) for radius in radii)
