"""A network that learns from another one's answers.

Sources: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, section 2; against attacks,
Goldblum et al., "Adversarially robust distillation", AAAI 2020, equation 4: the student answers at its worst points
what the teacher answers at the inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from redan.kernels.training.trades import divergence

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.training.adversary import Adversary
    from redan.kernels.training.course import Batch, Lesson


def answers(teacher: nn.Module, inputs: Tensor, temperature: float, batch_size: int = 500) -> Tensor:
    """Log-probabilities (n, k) of a teacher in evaluation mode at a temperature."""
    with torch.no_grad():
        rows = [(teacher(part) / temperature).log_softmax(1) for part in inputs.split(batch_size)]
    return torch.cat(rows)


def distil(
    student: nn.Module,
    told: Tensor,
    *,
    temperature: float,
    weight: float,
    adversary: Adversary | None = None,
) -> Lesson:
    """Learn what the teacher said of every row.

    Args:
        student: the network that learns.
        told: the teacher's log-probabilities at the temperature, (n, k), by place in the data.
        temperature: what logits are divided by; its square evens out the size of the gradients.
        weight: share of the teacher's answers in the loss, the labels have the rest.
        adversary: where it is given, the student learns at its worst points.
    """

    def lesson(batch: Batch) -> Tensor:
        points = batch.inputs if adversary is None else adversary.worst(batch)
        logits = student(points)
        apart = divergence(logits / temperature, told[batch.rows]).mean()
        return weight * temperature**2 * apart + (1 - weight) * functional.cross_entropy(logits, batch.labels)

    return lesson


def heated(net: nn.Module, temperature: float) -> Lesson:
    """Cross-entropy of logits divided by a temperature."""
    return lambda batch: functional.cross_entropy(net(batch.inputs) / temperature, batch.labels)
