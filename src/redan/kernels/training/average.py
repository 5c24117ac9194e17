"""Averages of weights along the path of training.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; for robust accuracy, Gowal
et al., "Uncovering the limits of adversarial training against norm-bounded adversarial examples", 2020, section 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

_START = 10
"""The first averages forget sooner, so that random initial weights leave no trace."""


class WeightAverage:
    """Exponential average of every weight and of every floating-point buffer; other buffers keep their last value.

    Args:
        net: the network that is trained.
        decay: weight of the past at each update, in [0, 1).
    """

    __slots__ = ("_decay", "_held", "_net", "_updates")

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._net = net
        self._decay = decay
        self._updates = 0
        self._held = [tensor.clone() for tensor in _tensors(net)]

    def update(self) -> None:
        """Take in the weights as they are now."""
        self._updates += 1
        decay = min(self._decay, self._updates / (_START + self._updates))
        with torch.no_grad():
            for held, now in zip(self._held, _tensors(self._net), strict=True):
                if held.is_floating_point():
                    held.lerp_(now, 1 - decay)
                else:
                    held.copy_(now)

    def install(self) -> None:
        """Put the average into the network."""
        with torch.no_grad():
            for held, now in zip(self._held, _tensors(self._net), strict=True):
                now.copy_(held)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*net.parameters(), *net.buffers())]
