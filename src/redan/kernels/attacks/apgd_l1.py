"""Auto-PGD under L1: steps along few coordinates, whose number follows the sparsity of the best point.

Source: Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML 2021,
sections 3 (projection), 4.1 (adaptive sparsity and step length) and 4.2 (radii of three, two and one eps). Ours:
coordinates in which a step would leave the box are not chosen, and samples that fell leave the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks import loss as losses
from redan.kernels.attacks.descent import Best, Reached, Work
from redan.kernels.attacks.projection import column, distance, open_coordinates, project

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.apgd import ApgdSchedule
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch

_PHASES = ((3.0, 0.3), (2.0, 0.3), (1.0, 0.4))
"""Radius over eps, and its share of the steps."""
_CHECK = 0.04
"""Share of a phase's steps between two checkpoints."""
_FIRST = 0.2
"""Share of the coordinates that the first steps may change."""
_FALL = 1.5
"""What sparsity and step length are divided by at a checkpoint."""
_SPARSER = 0.95
"""A best point that changes fewer coordinates than this share of those before has become sparser."""
_LEAST = 0.1
"""Least step length over the radius."""


@dataclass(slots=True, kw_only=True)
class _Trace:
    """What the attack remembers of each sample still in the batch."""

    low: Tensor
    """Lowest loss of the phase."""
    points: Tensor
    """Where it was met."""
    gradients: Tensor
    """The gradient there."""
    length: Tensor
    """Step length, L1."""
    changed: Tensor
    """Coordinates that the best point changed at the last checkpoint."""
    count: Tensor
    """Coordinates that a step changes."""

    @classmethod
    def begin(cls, work: Work, radius: float) -> _Trace:
        """Before the first step of a phase: as sparse as the point it begins at, if that was ever moved."""
        changed = _changed(work.points, work)
        width = work.inputs[:1].numel()
        return cls(
            low=torch.full_like(changed, torch.inf),
            points=work.points,
            gradients=torch.zeros_like(work.points),
            length=torch.full_like(changed, radius),
            changed=torch.where(changed > 0, changed, float(width)),
            count=torch.where(changed > 0, changed / _FALL, _FIRST * width).clamp_min(1),
        )

    def keep(self, mask: Tensor) -> None:
        """Forget the samples outside the mask."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name)[mask])

    def observe(self, points: Tensor, values: Tensor, gradients: Tensor) -> None:
        """Take in the loss and gradient at the points."""
        lower = values.to(self.low) < self.low
        self.low = torch.where(lower, values.to(self.low), self.low)
        self.points = torch.where(column(lower, points), points, self.points)
        self.gradients = torch.where(column(lower, points), gradients, self.gradients)

    def check(self, work: Work, radius: float) -> Tensor:
        """At a checkpoint: set sparsity and step length anew; return which samples go back to their best point."""
        changed = _changed(self.points, work)
        sparser = changed < _SPARSER * self.changed
        self.length = torch.where(sparser, radius, (self.length / _FALL).clamp_min(_LEAST * radius))
        self.count, self.changed = (changed / _FALL).clamp_min(1), changed
        return sparser


def _changed(points: Tensor, work: Work) -> Tensor:
    return distance(points, work.inputs, "l0").to(points.dtype)


def sparse_apgd(oracle: Oracle, work: Work, ball: Ball, schedule: ApgdSchedule, watch: Watch) -> Reached:
    """Lower the loss of each sample inside an L1 ball; those the model errs on leave the batch.

    Costs at most `steps` gradients and one forward a sample. Ends early when the watch says so.
    """
    best = Best(work)
    place = torch.arange(len(work.inputs), device=work.inputs.device)
    left = schedule.steps
    for factor, share in _PHASES:
        steps = left if factor == 1 else min(left, round(share * schedule.steps))
        left -= steps
        reach = replace(ball, eps=factor * ball.eps)
        work, place = _phase(oracle, (work, place), best, (ball, reach), replace(schedule, steps=steps), watch)
    if len(place) and not watch.stopped():
        best.meet(place, work, oracle.logits(work.points), torch.ones_like(place, dtype=torch.bool))
    return Reached(points=best.points, margin=best.margin, fallen=best.fallen)


def _phase(
    oracle: Oracle,
    batch: tuple[Work, Tensor],
    best: Best,
    balls: tuple[Ball, Ball],
    schedule: ApgdSchedule,
    watch: Watch,
) -> tuple[Work, Tensor]:
    """Steps inside the second ball; falls count inside the first. Returns the batch that is left, at its best points.

    The points of the last phase are where its last step ended, as nothing has looked at them yet.
    """
    (work, place), (ball, reach) = batch, balls
    work = replace(work, points=project(work.points, work.inputs, reach))
    trace = _Trace.begin(work, reach.eps)
    every = max(1, int(_CHECK * schedule.steps))
    for step in range(schedule.steps):
        if len(place) == 0 or watch.stopped():
            break
        goal = losses.objective(schedule.loss, work.labels, work.targets, work.wanted)
        values, gradients, logits = oracle.gradient(work.points, goal)
        fell = best.meet(place, work, logits, _inside(work, ball, reach))
        if bool(fell.any()):
            work, place, gradients, values = work.take(~fell), place[~fell], gradients[~fell], values[~fell]
            trace.keep(~fell)
        trace.observe(work.points, values, gradients)
        if (step + 1) % every == 0:
            back = column(trace.check(work, reach.eps), work.points)
            work.points = torch.where(back, trace.points, work.points)
            gradients = torch.where(back, trace.gradients, gradients)
        moved = work.points - _direction(gradients, trace, work.points, reach)
        work.points = project(moved, work.inputs, reach)
    return (work if reach == ball else replace(work, points=trace.points)), place


def _inside(work: Work, ball: Ball, reach: Ball) -> Tensor:
    if reach == ball:
        return torch.ones_like(work.labels, dtype=torch.bool)
    return distance(work.points, work.inputs, "l1") <= ball.eps


def _direction(gradients: Tensor, trace: _Trace, points: Tensor, reach: Ball) -> Tensor:
    """A step of L1 length `trace.length`, shared equally by the `trace.count` steepest coordinates of each sample."""
    flat = open_coordinates(gradients, points, reach).flatten(1)
    most = int(trace.count.max()) if len(flat) else 0
    steepest = flat.abs().topk(most, dim=1)
    count = trace.count.floor().unsqueeze(1)
    ranks = torch.arange(most, device=flat.device).unsqueeze(0)
    chosen = (ranks < count) & (steepest.values > 0)
    part = torch.where(chosen, trace.length.unsqueeze(1) / count, 0.0) * flat.gather(1, steepest.indices).sign()
    return torch.zeros_like(flat).scatter_(1, steepest.indices, part).reshape(gradients.shape)
