"""Our own private step in the form in which steps are tested."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from redan.kernels.dp.sampling import Streams, poisson_rows
from redan.kernels.dp.step import PrivateStep

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from redan.kernels.dp.conformance.contract import Factory
    from redan.kernels.dp.step import Privacy, RowLosses


class OwnTraining:
    """A training by `PrivateStep` whose weights stand still."""

    def __init__(self, net: nn.Module, losses: RowLosses, privacy: Privacy, n_rows: int, seed: int) -> None:
        self.clip = privacy.clip
        self.noise_multiplier = privacy.noise_multiplier
        self.sampling_rate = privacy.sampling_rate
        self.normaliser = privacy.batch_size
        self._n_rows = n_rows
        self._streams = Streams(seed)
        self._drawn = 0
        self._like = next(net.parameters())
        self._step = PrivateStep(net, losses, privacy, self._streams.noise)

    def rows(self) -> NDArray[Any]:
        """Draw the records of the next step."""
        draws, self._drawn = self._streams.rows(self._drawn), self._drawn + 1
        return np.asarray(poisson_rows(self._n_rows, self.sampling_rate, draws))

    def update(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the noisy mean of the clipped gradients of the next step."""
        inputs = torch.as_tensor(np.ascontiguousarray(x), dtype=self._like.dtype, device=self._like.device)
        labels = torch.as_tensor(np.asarray(y, np.int64), device=self._like.device)
        found = self._step.gradients(inputs, labels)
        return np.concatenate([np.asarray(g.detach().cpu(), np.float64).reshape(-1) for g in found])


def own_factory(net: nn.Module, losses: RowLosses, privacy: Privacy) -> Factory:
    """Return what makes our step over a copy of a network, in evaluation mode."""
    # layers that draw, such as dropout, would draw from a stream that no seed of the test decides
    copied = copy.deepcopy(net).eval().requires_grad_(requires_grad=True)

    def make(n_rows: int, seed: int) -> OwnTraining:
        return OwnTraining(copied, losses, privacy, n_rows, seed)

    return make
