"""Margin descent through a funnel: the workhorse of the cascade.

A plain descent inside the ball starts where the model was trained to be flat. This one may start far outside and is
led back: the radius it is held in shrinks geometrically from `funnel * eps` to `eps`, then stays. On an adversarially
trained net it finds in 20 steps what fixed-radius attacks miss in 1000. Sources: projected gradient descent, Madry et
al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018; shrinking radii, Croce and Hein, "Mind
the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021, section 4.2 (three radii; here a
continuous schedule); momentum, Croce and Hein, ICML 2020, algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.ball import Ball
from redan.kernels.attacks.loss import Loss, falls, goal_margin, objective
from redan.kernels.attacks.projection import distance, project, steepest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch

_CLEAR = 1e-5
"""A fall ends the descent only by this share of the logits' range, so that rounding cannot undo it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Steps and radii of one descent."""

    steps: int
    """Gradient evaluations a sample, at most."""
    step_first: float = 1.0
    """First step length over the radius."""
    step_last: float = 0.1
    """Last step length over the radius; linear between."""
    funnel: float = 1.0
    """First radius over eps, >= 1."""
    funnel_share: float = 0.6
    """Share of the steps after which the radius is eps."""
    carry: float = 0.25
    """Share of the last move that is carried on."""
    loss: Loss = "margin"
    """The objective."""

    def radius(self, step: int, eps: float) -> float:
        """Radius after the given step."""
        left = 1 - (step + 1) / (self.funnel_share * self.steps)
        return eps * math.pow(self.funnel, max(0.0, left))

    def length(self, step: int) -> float:
        """Step length over the radius."""
        return self.step_first + (self.step_last - self.step_first) * step / max(1, self.steps - 1)


@dataclass(slots=True, kw_only=True)
class Work:
    """A batch of samples under descent."""

    inputs: Tensor
    """Clean inputs, shape (m, ...)."""
    labels: Tensor
    """True classes, shape (m,)."""
    points: Tensor
    """Where each sample stands, shape (m, ...)."""
    targets: Tensor | None = None
    """Class each sample heads for, shape (m,); None: the best other class at every step."""
    wanted: Tensor | None = None
    """Class the model must answer for a sample to fall, shape (m,); None: any but the label."""

    def take(self, mask: Tensor) -> Work:
        """The samples under a mask."""
        targets = None if self.targets is None else self.targets[mask]
        wanted = None if self.wanted is None else self.wanted[mask]
        return Work(
            inputs=self.inputs[mask],
            labels=self.labels[mask],
            points=self.points[mask],
            targets=targets,
            wanted=wanted,
        )


def join(works: Sequence[Work]) -> Work:
    """One batch of several; all of them have targets or none has, and likewise with wanted classes."""

    def together(parts: list[Tensor | None]) -> Tensor | None:
        given = [part for part in parts if part is not None]
        return torch.cat(given) if given else None

    return Work(
        inputs=torch.cat([work.inputs for work in works]),
        labels=torch.cat([work.labels for work in works]),
        points=torch.cat([work.points for work in works]),
        targets=together([work.targets for work in works]),
        wanted=together([work.wanted for work in works]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The best point of each sample inside the ball."""

    points: Tensor
    """Point of the lowest margin, shape (m, ...); the input where no step ended inside."""
    margin: Tensor
    """Its margin (`loss.goal_margin`), shape (m,); infinity where no step ended inside."""
    fallen: Tensor
    """Whether the sample falls there, shape (m,)."""


class Best:
    """Keeps the lowest margin each sample met inside the ball."""

    __slots__ = ("fallen", "margin", "points")

    def __init__(self, work: Work) -> None:
        n = len(work.inputs)
        self.points = work.inputs.clone()
        self.margin = torch.full((n,), torch.inf, device=work.inputs.device, dtype=work.inputs.dtype)
        self.fallen = torch.zeros(n, dtype=torch.bool, device=work.inputs.device)

    def meet(self, place: Tensor, work: Work, logits: Tensor, inside: Tensor) -> Tensor:
        """Record where the samples are; return which of them fell clearly."""
        gaps = goal_margin(logits, work.labels, work.wanted).to(self.margin)
        errs = falls(logits, work.labels, work.wanted) & inside
        better = inside & ((gaps < self.margin[place]) | (errs & ~self.fallen[place]))
        here = place[better]
        self.margin[here], self.points[here], self.fallen[here] = gaps[better], work.points[better], errs[better]
        return errs & (gaps < -_CLEAR * (logits.amax(1) - logits.amin(1)))


def _inside(work: Work, ball: Ball, radius: float) -> Tensor:
    if radius <= ball.eps:
        return torch.ones_like(work.labels, dtype=torch.bool)
    return distance(work.points, work.inputs, ball.norm) <= ball.eps


def _advance(work: Work, before: Tensor, gradients: Tensor, ball: Ball, length: float, carry: float) -> Tensor:
    """One projected step of the given length against the gradient, with momentum."""
    moved = project(work.points - length * steepest(gradients, work.points, ball), work.inputs, ball)
    if carry == 0:
        return moved
    carried = work.points + (1 - carry) * (moved - work.points) + carry * (work.points - before)
    return project(carried, work.inputs, ball)


def descend(oracle: Oracle, work: Work, ball: Ball, schedule: Schedule, watch: Watch) -> Reached:
    """Lower the margin of each sample step by step; those that fall leave the batch.

    Costs at most `steps` gradients and one forward a sample. Ends early when the watch says so.
    """
    best = Best(work)
    place = torch.arange(len(work.inputs), device=work.inputs.device)
    radius = schedule.funnel * ball.eps
    work = replace(work, points=project(work.points, work.inputs, replace(ball, eps=radius)))
    before = work.points
    for step in range(schedule.steps):
        if len(place) == 0 or watch.stopped():
            break
        _, gradients, logits = oracle.gradient(
            work.points, objective(schedule.loss, work.labels, work.targets, work.wanted)
        )
        fell = best.meet(place, work, logits, _inside(work, ball, radius))
        if bool(fell.any()):
            keep = ~fell
            work, place, before, gradients = work.take(keep), place[keep], before[keep], gradients[keep]
        radius = schedule.radius(step, ball.eps)
        reach, length = replace(ball, eps=radius), schedule.length(step) * radius
        moved = _advance(work, before, gradients, reach, length, schedule.carry)
        before, work.points = work.points, moved
    if len(place) and not watch.stopped():
        best.meet(place, work, oracle.logits(work.points), _inside(work, ball, radius))
    return Reached(points=best.points, margin=best.margin, fallen=best.fallen)
