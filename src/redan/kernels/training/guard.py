"""Watches for catastrophic overfitting: single-step training that all at once withstands single steps only.

Source: Wong, Rice and Kolter, "Fast is better than free: revisiting adversarial training", ICLR 2020, section 5.4: the
accuracy under a multi-step attack on a small held-out batch tells.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

from redan.kernels.training.course import Batch
from redan.kernels.training.modes import in_use

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.training.adversary import Adversary

_FALL = 0.15
"""Loss of accuracy under attack that no honest step causes."""


class Guard:
    """Measures now and then, keeps the weights of the last good moment, and puts them back after a collapse.

    Args:
        net: the network in training.
        judge: a multi-step attack on it.
        inputs: rows held out, shape (m, ...).
        labels: their classes, int64, shape (m,).
        every: batches between two measurements.
    """

    __slots__ = ("_batch", "_best", "_every", "_good", "_judge", "_net", "collapses")

    def __init__(self, net: nn.Module, judge: Adversary, inputs: Tensor, labels: Tensor, every: int) -> None:
        self._net = net
        self._judge = judge
        self._batch = Batch(rows=torch.arange(len(inputs)), inputs=inputs, labels=labels, share=1.0)
        self._every = every
        self._best = 0.0
        self._good = copy.deepcopy(net.state_dict())
        self.collapses = 0

    def __call__(self, batches: int) -> bool:
        """Measure if it is time; return whether training had collapsed and was put back."""
        if batches % self._every:
            return False
        accuracy = self.accuracy()
        if accuracy < self._best - _FALL:
            self._net.load_state_dict(self._good)
            self.collapses += 1
            return True
        self._best = max(self._best, accuracy)
        self._good = copy.deepcopy(self._net.state_dict())
        return False

    def accuracy(self) -> float:
        """Share of the held-out rows that withstand the judge."""
        points = self._judge.worst(self._batch)
        with in_use(self._net):
            right = self._net(points).argmax(1) == self._batch.labels
        return float(right.double().mean())
