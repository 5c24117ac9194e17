"""Bisection between an input and a misclassified point: the cheapest way to a shorter distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.loss import falls
from redan.kernels.attacks.projection import column

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.attacks.watch import Watch


def bisect(
    oracle: Oracle,
    inputs: Tensor,
    labels: Tensor,
    points: Tensor,
    *,
    halvings: int,
    watch: Watch,
    wanted: Tensor | None = None,
) -> Tensor:
    """Return the misclassified point nearest to the input that was met on the segment from input to point.

    Costs `halvings` forwards for each sample whose point differs from its input; where no misclassified point is
    met, the point itself is returned. A model that errs in several stretches of the segment gives any of their ends.
    Where classes are wanted, shape (n,), those answers take the place of errors.
    """
    moved = (points != inputs).flatten(1).any(dim=1).nonzero().squeeze(1)
    if len(moved) == 0:
        return points
    clean, far, classes, ends = inputs[moved], points[moved], labels[moved], points.clone()
    wanted = None if wanted is None else wanted[moved]
    low, high = torch.zeros(len(moved)).to(inputs), torch.ones(len(moved)).to(inputs)
    for _ in range(halvings):
        if watch.stopped():
            break
        middle = (low + high) / 2
        between = torch.lerp(clean, far, column(middle, far))
        fallen = falls(oracle.logits(between), classes, wanted)
        ends[moved[fallen]] = between[fallen]
        low, high = torch.where(fallen, low, middle), torch.where(fallen, middle, high)
    return ends
