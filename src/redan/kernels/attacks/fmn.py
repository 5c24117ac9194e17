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
from redan.kernels.attacks.closest import Nearest
from redan.kernels.attacks.projection import TINY, column, dual_norm, l2_norm, project_each

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Ball, Box, Norm
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.result import Closest
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
    straightenings: int = 0
    """Shortest crossings of the boundary, linearised at the point found, that are tried at the end."""
    bisections: int = 8
    """Halvings of the segment from the input to the point found, at the end."""


def cosine(first: float, last: float, step: int, steps: int) -> float:
    """Cosine annealing from first (step 0) to last (step steps - 1)."""
    share = step / max(1, steps - 1)
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def settings_within(ball: Ball, dimension: int, steps: int) -> FmnSettings:
    """Settings for a search around a ball: L2 steps in proportion to the reach of the ball in that many dimensions."""
    reach = ball.eps * (2 * math.sqrt(dimension) if ball.norm == "linf" else 4.0)
    sparse = ball.norm in {"l1", "l0"}
    if sparse:  # long enough to change which values are the largest
        width = ball.box.high - ball.box.low
        reach = 4.0 * (width * ball.eps if ball.norm == "l0" else min(ball.eps, math.sqrt(ball.eps * width)))
    return FmnSettings(
        steps=steps,
        step_first=reach,
        step_last=0.005 * reach,
        radius_first=0.15,
        straightenings=1 if sparse else 0,
    )


class _Radius:
    """The radius that each sample is held in."""

    __slots__ = ("_radius",)

    def __init__(self, nearest: Nearest) -> None:
        self._radius = torch.full_like(nearest.distance, torch.inf)

    def adapt(self, nearest: Nearest, lengths: Tensor, fallen: Tensor, linear: Tensor, change: float) -> Tensor:
        """New radius: tighter after a fall, else wider; before any fall, where a linear model would fall."""
        # a little beyond the linear estimate: exactly on the boundary nothing is misclassified yet
        wider = torch.where(torch.isfinite(nearest.distance), self._radius, lengths + linear) * (1 + change)
        least = torch.minimum(self._radius, lengths)
        tighter = torch.minimum(least * (1 - change), nearest.distance)
        if nearest.norm == "l0":
            wider = torch.maximum(wider, self._radius.nan_to_num(posinf=1.0) + 1).floor()
            tighter = torch.minimum(tighter, least - 1).floor().clamp_min(1)
        self._radius = torch.where(fallen, tighter, wider)
        return self._radius


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
    wanted: Tensor | None = None,
    starts: Tensor | None = None,
) -> Closest:
    """Search the nearest point at which each sample falls.

    Costs `steps` and `straightenings` gradients, and two forwards a straightening and one a bisection, a sample.

    Args:
        oracle: the model.
        inputs: inside the box, shape (n, ...).
        labels: true classes, int64, shape (n,).
        norm: distance to make small.
        box: legal values.
        settings: the schedule.
        watch: asked between steps whether to end early.
        targets: classes to head for, shape (n,); default: the best other class at every step.
        wanted: classes that must be answered for a sample to fall, shape (n,); default: any but the label.
        starts: first points, shape (n, ...); default: the inputs.
    """
    points = inputs if starts is None else starts
    nearest = Nearest(inputs, labels, wanted, norm, box)
    held = _Radius(nearest)
    goal = losses.margin_towards(labels, targets, wanted)
    for step in range(settings.steps):
        if watch.stopped():
            break
        values, gradients, logits = oracle.gradient(points, goal)
        fallen = nearest.fallen(logits)
        lengths = nearest.meet(points, fallen)
        linear = values.abs().double() / dual_norm(gradients, norm).clamp_min(TINY)
        change = cosine(settings.radius_first, settings.radius_last, step, settings.steps)
        radius = held.adapt(nearest, lengths, fallen, linear, change).to(inputs.dtype)
        length = cosine(settings.step_first, settings.step_last, step, settings.steps)
        moved = points - length * gradients / column(l2_norm(gradients).clamp_min(TINY), gradients)
        points = project_each(moved, inputs, radius, norm, box)
    nearest.straighten(oracle, goal, settings.straightenings, watch)
    nearest.retreat(oracle, settings.bisections, watch)
    return nearest.result()
