"""The attack of Carlini and Wagner under L2: distance plus a weighted margin, made small by Adam.

Source: Carlini and Wagner, "Towards evaluating the robustness of neural networks", S&P 2017, sections V.A (objective
f6, confidence 0), V.B (change of variables) and VI.A; Adam: Kingma and Ba, ICLR 2015, algorithm 1. The weight is
searched a sample, by factors of ten until the sample falls and by bisection then. Two things are added at the end, both
towards the input: the shortest crossing of the boundary that was met, and bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.closest import Nearest
from redan.kernels.attacks.loss import margin_towards
from redan.kernels.attacks.projection import column

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Box
    from redan.kernels.attacks.descent import Work
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.result import Closest
    from redan.kernels.attacks.watch import Watch

_INWARD = 1 - 1e-3
"""The change of variables is infinite on the walls of the box, so inputs are drawn in by this factor."""
_SHORTEST = 50
"""Adam gets nowhere in fewer steps."""
_MEAN, _SQUARE, _SMALL = 0.9, 0.999, 1e-8
"""Adam's decay of the mean and of the mean square, and what its divisor is at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarliniWagnerSettings:
    """Settings of the attack."""

    steps: int = 900
    """Gradient evaluations a sample in all."""
    searches: int = 9
    """Weights tried at most, each with an equal part of the steps, but no less than fifty."""
    weight: float = 1.0
    """First weight of the margin, against squared distances in units of the box's width."""
    rate: float = 0.2
    """Adam's step in the changed variable; it falls to a tenth within each search."""
    straightenings: int = 1
    """Shortest crossings of the boundary, linearised at the point found, that are tried at the end."""
    bisections: int = 10
    """Halvings of the segment from the input to the point found, at the end."""


class _Weights:
    """The weight of each sample's margin: raised after a search that failed, lowered after one that did not."""

    __slots__ = ("_high", "_low", "now")

    def __init__(self, inputs: Tensor, first: float) -> None:
        self.now = torch.full((len(inputs),), first).to(inputs)
        self._low, self._high = torch.zeros_like(self.now), torch.full_like(self.now, torch.inf)

    def search(self, fell: Tensor) -> None:
        """Take in which samples fell with the present weights and set the next."""
        self._high = torch.where(fell, torch.minimum(self._high, self.now), self._high)
        self._low = torch.where(fell, self._low, torch.maximum(self._low, self.now))
        middle = (self._low + self._high) / 2
        self.now = torch.where(torch.isfinite(self._high), middle, self.now * 10)


def carlini_wagner(oracle: Oracle, work: Work, *, box: Box, settings: CarliniWagnerSettings, watch: Watch) -> Closest:
    """Search the nearest point, in L2, at which each sample falls; `work.points` are not read.

    Costs `steps` gradients a sample.
    """
    nearest = Nearest(work.inputs, work.labels, work.wanted, "l2", box)
    weights = _Weights(work.inputs, settings.weight)
    searches = max(1, min(settings.searches, settings.steps // _SHORTEST))
    each = settings.steps // searches
    for _ in range(searches):
        if watch.stopped():
            break
        weights.search(_descend(oracle, work, nearest, weights.now, each, settings.rate, watch))
    goal = margin_towards(work.labels, work.targets, work.wanted)
    nearest.straighten(oracle, goal, settings.straightenings, watch)
    nearest.retreat(oracle, settings.bisections, watch)
    return nearest.result()


def _descend(
    oracle: Oracle, work: Work, nearest: Nearest, weights: Tensor, steps: int, rate: float, watch: Watch
) -> Tensor:
    """One search with fixed weights; return which samples fell in it."""
    low, width = nearest.box.low, nearest.box.high - nearest.box.low
    goal = margin_towards(work.labels, work.targets, work.wanted)
    place = torch.atanh(((work.inputs - low) / width * 2 - 1) * _INWARD)
    mean, square = torch.zeros_like(place), torch.zeros_like(place)
    fell = torch.zeros_like(weights, dtype=torch.bool)
    points = work.inputs
    for step in range(steps):
        if watch.stopped():
            break
        gaps, slopes, logits = oracle.gradient(points, goal)
        now = nearest.fallen(logits)
        nearest.meet(points, now)
        fell |= now
        pull = column(weights * (gaps > 0), slopes) * slopes * width + 2 * (points - work.inputs) / width
        slope = pull * (1 - torch.tanh(place).square()) / 2
        mean = _MEAN * mean + (1 - _MEAN) * slope
        square = _SQUARE * square + (1 - _SQUARE) * slope.square()
        length = rate * (1 - 0.9 * step / steps) / (1 - _MEAN ** (step + 1))
        place = place - length * mean / ((square / (1 - _SQUARE ** (step + 1))).sqrt() + _SMALL)
        points = (low + (torch.tanh(place) + 1) * (width / 2)).clamp(low, nearest.box.high)
    return fell
