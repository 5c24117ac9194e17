"""DeepFool: step after step across the nearest boundary of the linearised model.

Source: Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks", CVPR
2016, algorithm 2 and its extension to other norms. The paper knows no box: here each step is the shortest one that
stays in it. The first boundary met is seldom near where a net is far from linear, so two things are added at the end,
both towards the input: moves along the boundary to its shortest crossing, linearised anew each time, and bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.closest import Nearest
from redan.kernels.attacks.descent import Work
from redan.kernels.attacks.halfspace import cross
from redan.kernels.attacks.loss import falls, margin_towards
from redan.kernels.attacks.projection import column
from redan.kernels.attacks.rivals import likeliest

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Box, Norm
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.result import Closest
    from redan.kernels.attacks.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepFoolSettings:
    """Settings of DeepFool."""

    steps: int = 50
    """Linearisations a sample, at most; each costs one gradient a rival."""
    rivals: int = 9
    """Wrong classes considered: those of the highest logits at the input."""
    overshoot: float = 0.02
    """Share of each way that is gone beyond the linearised boundary."""
    straightenings: int = 6
    """Linearisations of the boundary at the point found, towards whose shortest crossing it moves at the end."""
    bisections: int = 10
    """Halvings of the segment from the input to the point found, at the end."""


def deepfool(oracle: Oracle, work: Work, *, norm: Norm, box: Box, settings: DeepFoolSettings, watch: Watch) -> Closest:
    """Search a near point at which each sample falls; `work.points` and `work.targets` are not read.

    Costs `rivals` gradients a step (one where a class is wanted) until the sample falls.
    """
    nearest = Nearest(work.inputs, work.labels, work.wanted, norm, box)
    if len(work.inputs) == 0:
        return nearest.result()
    logits = oracle.logits(work.inputs)
    fallen = nearest.fallen(logits)
    nearest.meet(work.inputs, fallen)
    rivals = likeliest(logits, work.labels, settings.rivals) if work.wanted is None else work.wanted.unsqueeze(1)
    points = work.inputs.clone()
    for _ in range(settings.steps):
        left = (~fallen).nonzero().squeeze(1)
        if len(left) == 0 or watch.stopped():
            break
        part = Work(inputs=work.inputs, labels=work.labels, points=points, wanted=work.wanted).take(~fallen)
        ways = _shortest(oracle, part, rivals[left], norm, box)
        further = part.points + (1 + settings.overshoot) * (ways - part.points)
        points[left] = further.clamp(box.low, box.high)
        fallen[left] = falls(oracle.logits(points[left]), part.labels, part.wanted)
        nearest.meet(points, fallen)
    goal = margin_towards(work.labels, None, work.wanted)
    nearest.straighten(oracle, goal, settings.straightenings, watch)
    nearest.retreat(oracle, settings.bisections, watch)
    return nearest.result()


def _shortest(oracle: Oracle, work: Work, rivals: Tensor, norm: Norm, box: Box) -> Tensor:
    """The nearest point of the box, seen from where a sample is, at which its linearised margin to a rival is zero."""
    best, length = work.points, torch.full((len(work.points),), torch.inf, dtype=torch.float64).to(work.points.device)
    for rank in range(rivals.shape[1]):
        goal = margin_towards(work.labels, rivals[:, rank], work.wanted)
        gaps, slopes, _ = oracle.gradient(work.points, goal)
        ways, lengths = cross(work.points, slopes, gaps, norm, box)
        nearer = lengths < length
        best = torch.where(column(nearer, ways), ways, best)
        length = torch.where(nearer, lengths, length)
    return best
