"""Auto-PGD: projected gradient descent that halves its own step size.

Source: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", ICML 2020, algorithm 1, conditions 1 and 2 of section 3.2, losses of section 4. Samples that fell leave the
batch, which the paper's algorithm does not do but its evaluation does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks import loss as losses
from redan.kernels.attacks.apgd_l1 import sparse_apgd
from redan.kernels.attacks.ball import Ball
from redan.kernels.attacks.descent import Best, Reached, Work
from redan.kernels.attacks.projection import column, project, steepest

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch

_MOMENTUM = 0.75
_PROGRESS = 0.75
"""rho of condition 1: share of steps that must have improved the loss since the last checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApgdSchedule:
    """Settings of Auto-PGD."""

    steps: int = 100
    """Gradient evaluations a sample, at most."""
    loss: losses.Loss = "ce"
    """The objective."""

    def usable(self, n_classes: int) -> ApgdSchedule:
        """The same, or with the margin for a DLR that has too few classes (3, targeted 4)."""
        needed = {"dlr": losses.DLR_CLASSES, "targeted-dlr": losses.TARGETED_DLR_CLASSES}
        return self if n_classes >= needed.get(self.loss, 0) else replace(self, loss="margin")


def checkpoints(steps: int) -> tuple[int, ...]:
    """Steps after which a step size may be halved: w_j = ceil(p_j * steps) of section 3.2, without the last."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    # rounding first: 0.57 * 100 is a little above 57 in floating point
    return tuple(sorted({math.ceil(round(share * steps, 9)) for share in shares[1:] if share < 1}))


@dataclass(slots=True, kw_only=True)
class _Trace:
    """What Auto-PGD remembers of each sample still in the batch."""

    before: Tensor
    """Last point."""
    value: Tensor
    """Last loss."""
    length: Tensor
    """Step length."""
    improved: Tensor
    """Steps since the last checkpoint that lowered the loss."""
    low: Tensor
    """Lowest loss."""
    low_points: Tensor
    """Where it was met."""
    low_gradients: Tensor
    """The gradient there."""
    low_then: Tensor
    """Lowest loss at the last checkpoint."""
    halved: Tensor
    """Whether the step was halved at the last checkpoint."""

    @classmethod
    def begin(cls, points: Tensor, length: float) -> _Trace:
        """Before the first step."""
        infinite = torch.full((len(points),), torch.inf).to(points)
        return cls(
            before=points,
            value=infinite,
            length=torch.full_like(infinite, length),
            improved=torch.zeros_like(infinite),
            low=infinite,
            low_points=points,
            low_gradients=torch.zeros_like(points),
            low_then=infinite,
            halved=torch.zeros_like(infinite, dtype=torch.bool),
        )

    def keep(self, mask: Tensor) -> None:
        """Forget the samples outside the mask."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name)[mask])

    def observe(self, points: Tensor, values: Tensor, gradients: Tensor) -> None:
        """Take in the loss and gradient at the points."""
        values = values.to(self.value)
        self.improved = self.improved + (values < self.value)
        lower = values < self.low
        self.low = torch.where(lower, values, self.low)
        self.low_points = torch.where(column(lower, points), points, self.low_points)
        self.low_gradients = torch.where(column(lower, points), gradients, self.low_gradients)
        self.value = values

    def halve(self, steps: int) -> Tensor:
        """At a checkpoint `steps` after the last: halve where progress ended; return where."""
        stalled = self.improved < _PROGRESS * steps
        stuck = ~self.halved & (self.low >= self.low_then)
        self.halved = stalled | stuck
        self.length = torch.where(self.halved, self.length / 2, self.length)
        self.low_then, self.improved = self.low, torch.zeros_like(self.improved)
        return self.halved


def apgd(oracle: Oracle, work: Work, ball: Ball, schedule: ApgdSchedule, watch: Watch) -> Reached:
    """Lower the loss of each sample inside the ball; those the model errs on leave the batch.

    Costs at most `steps` gradients and one forward a sample. Ends early when the watch says so. Under L1 it is
    `sparse_apgd`.

    Raises:
        ValueError: the model has too few classes for the loss (see `ApgdSchedule.usable`).
    """
    if ball.norm == "l1":
        return sparse_apgd(oracle, work, ball, schedule, watch)
    best = Best(work)
    place = torch.arange(len(work.inputs), device=work.inputs.device)
    work = replace(work, points=project(work.points, work.inputs, ball))
    trace = _Trace.begin(work.points, 2 * ball.eps)
    marks, last = checkpoints(schedule.steps), 0
    for step in range(schedule.steps):
        if len(place) == 0 or watch.stopped():
            break
        goal = losses.objective(schedule.loss, work.labels, work.targets, work.wanted)
        values, gradients, logits = oracle.gradient(work.points, goal)
        fell = best.meet(place, work, logits, torch.ones_like(place, dtype=torch.bool))
        if bool(fell.any()):
            work, place, gradients, values = work.take(~fell), place[~fell], gradients[~fell], values[~fell]
            trace.keep(~fell)
        trace.observe(work.points, values, gradients)
        if step in marks:
            back, last = column(trace.halve(step - last), work.points), step
            work.points = torch.where(back, trace.low_points, work.points)
            gradients = torch.where(back, trace.low_gradients, gradients)
        trace.before, work.points = work.points, _step(work, trace, gradients, ball, first=step == 0)
    if len(place) and not watch.stopped():
        best.meet(place, work, oracle.logits(work.points), torch.ones_like(place, dtype=torch.bool))
    return Reached(points=best.points, margin=best.margin, fallen=best.fallen)


def _step(work: Work, trace: _Trace, gradients: Tensor, ball: Ball, *, first: bool) -> Tensor:
    """Equations 3 and 4: a projected step, then momentum (none at the first step)."""
    ascent = column(trace.length, gradients) * steepest(gradients, work.points, ball)
    moved = project(work.points - ascent, work.inputs, ball)
    if first:
        return moved
    carried = work.points + _MOMENTUM * (moved - work.points) + (1 - _MOMENTUM) * (work.points - trace.before)
    return project(carried, work.inputs, ball)
