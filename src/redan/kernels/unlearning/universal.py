"""A network is taught that no fixed perturbation leads to a class: whatever trigger it holds is unlearnt unseen.

For each class one perturbation, the same for every row, is kept that leads to it; the network learns the true labels
of rows with and without it, while the perturbations keep learning too.

Source: Zeng, Chen, Park, Mao, Jin & Jia 2022, "Adversarial unlearning of backdoors via implicit hypergradient",
section 3 (the minimax problem), by alternating steps as in Shafahi et al. 2020, "Universal adversarial training",
algorithm 3, in place of the implicit gradient, and with one perturbation for each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.training.course import Batch, Lesson

STEP = 0.2
"""Length of a step of a perturbation, as a share of the radius."""
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perturbations:
    """One for each class, all within a Euclidean ball.

    Attributes:
        held: (classes, …) added to rows; changed in place.
        radius: of the ball, on the rows' own scale.
        bounds: lowest and highest legal value of a row.
    """

    held: Tensor
    radius: float
    bounds: tuple[float, float]

    def onto(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return rows (m, …) with the perturbation of their class of ``targets`` (m,)."""
        return (inputs + self.held[targets]).clamp(*self.bounds)

    def step(self, gradients: Tensor, targets: Tensor) -> None:
        """Move each perturbation against the sum of its rows' gradients (m, …), and back into the ball."""
        sums = torch.zeros_like(self.held).index_add_(0, targets, gradients)
        self.held.sub_(STEP * self.radius * sums / _lengths(sums).clamp_min(_SMALLEST))
        self.held.mul_((self.radius / _lengths(self.held).clamp_min(_SMALLEST)).clamp_max(1))


def _lengths(rows: Tensor) -> Tensor:
    lengths: Tensor = rows.flatten(1).norm(dim=1).reshape(-1, *[1] * (rows.ndim - 1))
    return lengths


def unlearning(net: nn.Module, against: Perturbations, draws: torch.Generator) -> Lesson:
    """Return the lesson: cross-entropy of rows as they are plus that of the same rows perturbed.

    Args:
        net: the network that is trained.
        against: the perturbations, which move before each lesson.
        draws: which class each row is led to.
    """

    def lesson(batch: Batch) -> Tensor:
        targets = torch.randint(0, len(against.held), (len(batch.inputs),), generator=draws).to(batch.labels.device)
        moved = against.onto(batch.inputs, targets).requires_grad_(True)
        (gradients,) = torch.autograd.grad(cross_entropy(net(moved), targets, reduction="sum"), moved)
        against.step(gradients, targets)
        both = net(torch.cat([batch.inputs, against.onto(batch.inputs, targets)]))
        n = len(batch.inputs)
        return cross_entropy(both[:n], batch.labels) + cross_entropy(both[n:], batch.labels)

    return lesson
