"""A network averaged over noisy copies of its input, differentiable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from redan.kernels.draws import normal, sample_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST = 1e-30


class SmoothedNetwork(nn.Module):
    """Logarithm of the mean class probability over copies of an input with fixed Gaussian noise.

    Source: Salman et al. 2019, "Provably robust deep learning via adversarially trained smoothed classifiers",
    equation 4 (the soft form of the smoothed classifier).

    Args:
        inner: maps (n, …) to logits (n, k).
        sigma: standard deviation of the noise.
        copies: how many.
        seed: of the noise, which is the same for all inputs.
    """

    sigma: Tensor
    copies: Tensor
    seed: Tensor

    def __init__(self, inner: nn.Module, *, sigma: float, copies: int, seed: int) -> None:
        super().__init__()
        self.inner = inner
        # as buffers they are part of the digest of what was measured
        self.register_buffer("sigma", torch.tensor(sigma, dtype=torch.float64))
        self.register_buffer("copies", torch.tensor(copies))
        self.register_buffer("seed", torch.tensor(seed % 2**63))
        self.training = inner.training

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to (n, k) logarithms of probabilities."""
        total: Tensor | None = None
        for copy in range(int(self.copies)):
            noise = torch.as_tensor(self._noise(tuple(x.shape[1:]), copy), dtype=x.dtype, device=x.device)
            share = self.inner(x + noise).softmax(dim=1)
            total = share if total is None else total + share
        assert total is not None
        mean: Tensor = total / int(self.copies)
        return mean.clamp_min(_SMALLEST).log()

    def _noise(self, shape: tuple[int, ...], copy: int) -> NDArray[np.float32]:
        keys = sample_keys(int(self.seed), "smoothing", [0])
        sigma = np.float32(float(self.sigma))
        drawn: NDArray[np.float32] = sigma * normal(keys, shape, stream=copy)[0]
        return drawn
