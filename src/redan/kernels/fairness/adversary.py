"""An adversary that reads the group from a network's answer, and the loss that makes the network defeat it.

Source: Zhang, Lemoine & Mitchell, "Mitigating unwanted biases with adversarial learning", AIES 2018, section 3
(equality of odds: the adversary is also told the true class); Ganin & Lempitsky, "Unsupervised domain adaptation by
backpropagation", ICML 2015, section 3 (reversal of the gradient in place of two optimisers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

if TYPE_CHECKING:
    from torch import Tensor

_WIDTH = 32


class Duel(nn.Module):
    """A network and its adversary, trained together.

    Args:
        net: maps inputs to logits (m, k).
        n_classes: k.
        n_groups: what the adversary tells apart.
        told_class: whether the adversary knows the true class, which aims at equalised odds; else at parity.
    """

    def __init__(self, net: nn.Module, *, n_classes: int, n_groups: int, told_class: bool) -> None:
        super().__init__()
        self.net, self.told_class, self.n_classes = net, told_class, n_classes
        wide = n_classes * (n_classes if told_class else 1)
        self.adversary = nn.Sequential(nn.Linear(wide, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, n_groups))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the network's logits (m, k)."""
        logits: Tensor = self.net(inputs)
        return logits

    def loss(self, inputs: Tensor, labels: Tensor, groups: Tensor, strength: float) -> Tensor:
        """Return the loss of a batch: the network's and the adversary's, whose gradient the network gets reversed."""
        logits = self(inputs)
        answers = reverse(logits.softmax(dim=1), strength)
        if self.told_class:
            # the answer stands in the block of the true class, so that the adversary can read it class by class
            known = one_hot(labels, self.n_classes).to(answers.dtype)
            answers = (known[:, :, None] * answers[:, None, :]).flatten(1)
        return cross_entropy(logits, labels) + cross_entropy(self.adversary(answers), groups)


def reverse(values: Tensor, strength: float) -> Tensor:
    """Return the values unchanged; their gradient comes back times −strength."""
    return values.detach() * (1 + strength) - values * strength


def seeded(duel: Duel, generator: torch.Generator) -> Duel:
    """Draw the adversary's weights from a generator of one's own; return the same object."""
    with torch.no_grad():
        for weight in duel.adversary.parameters():
            reach = 1 / max(1.0, float(weight.shape[-1])) ** 0.5
            weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * reach)
    return duel
