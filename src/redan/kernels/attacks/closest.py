"""The nearest fallen points met so far, and how they are brought nearer once a search has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.boundary import bisect
from redan.kernels.attacks.halfspace import cross
from redan.kernels.attacks.loss import falls
from redan.kernels.attacks.projection import column, distance
from redan.kernels.attacks.result import Closest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.ball import Box, Norm
    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch

_BEYOND = (1.001, 1.2)
"""Falls tried, over the one that reaches a linearised boundary: on it nothing has fallen yet, and it may be bent."""
_WAYS = (1.0, 0.5, 0.25, 0.1)
"""Shares tried of the way from the point met to the shortest crossing: where the boundary is bent, less is more."""
_HALVINGS = 5
"""Bisections before each linearisation, which is best on the boundary itself."""


class Nearest:
    """The nearest fallen point met of each sample.

    Args:
        inputs: clean inputs, shape (n, ...).
        labels: true classes, shape (n,).
        wanted: classes that must be answered, shape (n,); None: any but the label.
        norm: the distance.
        box: legal values.
    """

    __slots__ = ("box", "distance", "inputs", "labels", "norm", "points", "wanted")

    def __init__(self, inputs: Tensor, labels: Tensor, wanted: Tensor | None, norm: Norm, box: Box) -> None:
        self.inputs, self.labels, self.wanted, self.norm, self.box = inputs, labels, wanted, norm, box
        self.points = inputs.clone()
        self.distance = torch.full((len(inputs),), torch.inf, dtype=torch.float64, device=inputs.device)

    def fallen(self, logits: Tensor) -> Tensor:
        """Whether samples with these logits fell, shape (n,)."""
        return falls(logits, self.labels, self.wanted)

    def meet(self, points: Tensor, fallen: Tensor) -> Tensor:
        """Record points of which some have fallen; return their distances, float64, shape (n,)."""
        lengths = distance(points, self.inputs, self.norm)
        closer = fallen & (lengths < self.distance)
        self.distance = torch.where(closer, lengths, self.distance)
        self.points = torch.where(column(closer, points), points, self.points)
        return lengths

    def result(self) -> Closest:
        """What is known now."""
        return Closest(adversarial=self.points, distance=self.distance)

    def straighten(self, oracle: Oracle, goal: Callable[[Tensor], Tensor], rounds: int, watch: Watch) -> None:
        """Go towards the shortest crossing of the boundary, linearised where it was met; keep what is nearer.

        The goal is the margin of logits that the search made small. Costs one gradient and thirteen forwards a sample
        and round. Source: Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
        attack", ICML 2020, section 3.2.
        """
        for _ in range(rounds):
            self.retreat(oracle, _HALVINGS, watch)
            found = torch.isfinite(self.distance) & (self.distance > 0)
            if watch.stopped() or not bool(found.any()):
                return
            start = self.points
            values, slopes, _ = oracle.gradient(start, goal)
            drop = values + (slopes * (self.inputs - start)).flatten(1).sum(dim=1)
            for beyond in _BEYOND:
                crossing, _ = cross(self.inputs, slopes, beyond * drop, self.norm, self.box)
                for share in _WAYS:
                    tried = (start + share * (crossing - start)).clamp(self.box.low, self.box.high)
                    self.meet(tried, found & self.fallen(oracle.logits(tried)))

    def retreat(self, oracle: Oracle, halvings: int, watch: Watch) -> None:
        """Bisect between the inputs and the nearest points; costs `halvings` forwards a sample."""
        ends = bisect(oracle, self.inputs, self.labels, self.points, halvings=halvings, watch=watch, wanted=self.wanted)
        self.meet(ends, torch.isfinite(self.distance))
