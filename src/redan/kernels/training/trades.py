"""Clean accuracy traded for robustness by one number.

Source: Zhang et al., "Theoretically principled trade-off between robustness and accuracy", ICML 2019, equation 5: the
cross-entropy at the input, plus beta times the divergence between the answers at the input and at the worst point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from redan.kernels.training.modes import in_use

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.training.adversary import Adversary
    from redan.kernels.training.course import Batch, Lesson


def divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence of log-probabilities `target` (m, k) from the answers (m, k), shape (m,)."""
    return (target.exp() * (target - logits.log_softmax(1))).sum(1)


def trades(net: nn.Module, adversary: Adversary, beta: float) -> Lesson:
    """The TRADES objective with an adversary that raises the divergence."""

    def lesson(batch: Batch) -> Tensor:
        with in_use(net):
            answers = net(batch.inputs).log_softmax(1)
        points = adversary.worst(batch, lambda logits, live: divergence(logits, answers[live]).sum())
        clean = net(batch.inputs)
        apart = divergence(net(points), clean.log_softmax(1)).mean()
        return functional.cross_entropy(clean, batch.labels) + beta * apart

    return lesson
