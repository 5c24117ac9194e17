"""Fast minimum-norm attack: the nearest adversarial point, no radius given.

Source: Pintor, Roli, Brendel, Biggio, "Fast minimum-norm adversarial attacks through adaptive norm constraints",
NeurIPS 2021, algorithm 1; step and radius schedules of section 2.3 (cosine annealing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks import loss as losses
from redan.kernels.attacks.ball import Ball, Box, Norm
from redan.kernels.attacks.boundary import bisect
from redan.kernels.attacks.projection import TINY, column, distance, dual_norm, l2_norm

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class FmnSettings:
    """Schedule of the attack."""

    steps: int = 100
    """Gradient evaluations a sample."""
    step_first: float = 1.0
    """First step length, L2, in the units of the inputs."""
    step_last: float = 0.01
    """Last step length; the decay between is a cosine."""
    radius_first: float = 0.05
    """First relative change of the radius."""
    radius_last: float = 0.001
    """Last relative change of the radius; the decay between is a cosine."""
    bisections: int = 8
    """Halvings of the segment from the input to the point found, at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FmnResult:
    """The nearest adversarial points found."""

    adversarial: Tensor
    """Nearest misclassified point, shape (n, ...); the input itself where none was found."""
    distance: Tensor
    """Its distance under the norm, float64, shape (n,); infinity where none was found."""

    @property
    def success(self) -> Tensor:
        """Whether any misclassified point was found, shape (n,)."""
        return torch.isfinite(self.distance)


def cosine(first: float, last: float, step: int, steps: int) -> float:
    """Cosine annealing from first (step 0) to last (step steps - 1)."""
    share = step / max(1, steps - 1)
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def shrink(deltas: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """Project deltas onto balls of one radius a sample."""
    limit = column(radius, deltas)
    if norm == "linf":
        return torch.minimum(torch.maximum(deltas, -limit), limit)
    return deltas * (limit / column(l2_norm(deltas).clamp_min(TINY), deltas)).clamp_max(1.0)


def settings_within(ball: Ball, dimension: int, steps: int) -> FmnSettings:
    """Settings for a search around a ball: L2 steps in proportion to the reach of the ball in that many dimensions."""
    reach = ball.eps * (2 * math.sqrt(dimension) if ball.norm == "linf" else 4.0)
    return FmnSettings(steps=steps, step_first=reach, step_last=0.005 * reach, radius_first=0.15)


class _Nearest:
    """The nearest misclassified point met and the radius the search is held in."""

    __slots__ = ("distance", "points", "radius")

    def __init__(self, inputs: Tensor) -> None:
        self.points = inputs.clone()
        self.distance = torch.full((len(inputs),), torch.inf, dtype=torch.float64, device=inputs.device)
        self.radius = torch.full_like(self.distance, torch.inf)

    def meet(self, points: Tensor, lengths: Tensor, fallen: Tensor) -> None:
        """Record points at the given distances of which some are misclassified."""
        closer = fallen & (lengths < self.distance)
        self.distance = torch.where(closer, lengths, self.distance)
        self.points = torch.where(column(closer, points), points, self.points)

    def adapt(self, lengths: Tensor, fallen: Tensor, linear: Tensor, change: float) -> Tensor:
        """New radius: tighter after a fall, else wider; before any fall, where a linear model would fall."""
        # a little beyond the linear estimate: exactly on the boundary nothing is misclassified yet
        wider = torch.where(torch.isfinite(self.distance), self.radius, lengths + linear) * (1 + change)
        tighter = torch.minimum(torch.minimum(self.radius, lengths) * (1 - change), self.distance)
        self.radius = torch.where(fallen, tighter, wider)
        return self.radius


def fmn(
    oracle: Oracle,
    inputs: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    box: Box,
    settings: FmnSettings,
    watch: Watch,
    targets: Tensor | None = None,
    starts: Tensor | None = None,
) -> FmnResult:
    """Search the nearest misclassified point of each sample; cost `steps` gradients and `bisections` forwards each.

    Args:
        oracle: the model.
        inputs: inside the box, shape (n, ...).
        labels: true classes, int64, shape (n,).
        norm: distance to make small.
        box: legal values.
        settings: the schedule.
        watch: asked between steps whether to end early.
        targets: classes to head for, shape (n,); default: the best other class at every step.
        starts: first points, shape (n, ...); default: the inputs.
    """
    points = inputs if starts is None else starts
    nearest = _Nearest(inputs)
    for step in range(settings.steps):
        if watch.stopped():
            break
        values, gradients, logits = oracle.gradient(points, losses.margin_towards(labels, targets))
        lengths, fallen = distance(points, inputs, norm), logits.argmax(1) != labels
        nearest.meet(points, lengths, fallen)
        linear = values.abs().double() / dual_norm(gradients, norm).clamp_min(TINY)
        change = cosine(settings.radius_first, settings.radius_last, step, settings.steps)
        radius = nearest.adapt(lengths, fallen, linear, change).to(inputs.dtype)
        length = cosine(settings.step_first, settings.step_last, step, settings.steps)
        moved = points - inputs - length * gradients / column(l2_norm(gradients).clamp_min(TINY), gradients)
        points = (inputs + shrink(moved, radius, norm)).clamp_(box.low, box.high)
    ends = bisect(oracle, inputs, labels, nearest.points, halvings=settings.bisections, watch=watch)
    nearest.meet(ends, distance(ends, inputs, norm), torch.isfinite(nearest.distance))
    return FmnResult(adversarial=nearest.points, distance=nearest.distance)
