"""Opacus's private step in the form that the probe dp-step tests; run with Opacus 1.6.0 on the path.

redan attack MODEL --test DATA --probe dp-step --param step=benchmarks/opacus_step.py:make
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus import PrivacyEngine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FEATURES, CLASSES, BATCH = 20, 4, 64
CLIP, NOISE = 1.0, 1.1


class OpacusTraining:
    """What `PrivacyEngine.make_private` makes, with its own loader and optimiser."""

    def __init__(self, n_rows: int, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = nn.Sequential(nn.Linear(FEATURES, 32), nn.Tanh(), nn.Linear(32, CLASSES))
        rows = TensorDataset(torch.zeros(n_rows, FEATURES), torch.arange(n_rows))
        draws = torch.Generator().manual_seed(seed)
        net, self._optimiser, loader = PrivacyEngine().make_private(
            module=net,
            optimizer=torch.optim.SGD(net.parameters(), lr=0.1),
            data_loader=DataLoader(rows, batch_size=BATCH, generator=draws),
            noise_multiplier=NOISE,
            max_grad_norm=CLIP,
            noise_generator=torch.Generator().manual_seed(seed + 1),
        )
        self._net, self._sampler, self._batches = net, loader.batch_sampler, iter(())
        self.clip, self.noise_multiplier = CLIP, NOISE
        self.sampling_rate = loader.sample_rate
        self.normaliser = self._optimiser.expected_batch_size

    def rows(self) -> NDArray[Any]:
        """Draw the records of the next step."""
        for batch in self._batches:
            return np.asarray(batch, np.int64)
        self._batches = iter(self._sampler)
        return np.asarray(next(self._batches), np.int64)

    def update(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the gradients that Opacus hands to the optimiser."""
        self._optimiser.zero_grad()
        loss = nn.functional.cross_entropy(
            self._net(torch.as_tensor(x, dtype=torch.float32)), torch.as_tensor(y), reduction="sum"
        )
        # Opacus multiplies by the batch size again where the loss is a mean; here it is told that it is a mean
        (loss / max(len(x), 1)).backward()
        self._optimiser.pre_step()
        return np.concatenate([p.grad.double().numpy().reshape(-1) for p in self._net.parameters()])


def make(n_rows: int, seed: int) -> OpacusTraining:
    """Make Opacus's step over so many records."""
    return OpacusTraining(n_rows, seed)
