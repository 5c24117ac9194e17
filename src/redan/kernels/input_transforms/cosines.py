"""What a lossy image format does to an image: cosine coefficients of blocks, rounded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from redan.kernels.input_transforms.rounding import rounded

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.input_transforms.rounding import Gradient

_BLOCK = 8


class BlockCosines(nn.Module):
    """Rounds the cosine coefficients of blocks of 8 by 8, high frequencies more coarsely.

    The steps grow linearly with frequency; no table of the standard is used, and channels are not mixed. Source: Ahmed,
    Natarajan & Rao 1974, "Discrete cosine transform"; as a defence Guo, Rana, Cissé & van der Maaten 2018, section 4.1.

    Args:
        step: distance of the levels of the lowest frequency, over the width of the box.
        low: lowest legal value.
        high: highest legal value.
        gradient: what passes backward through the rounding.
    """

    steps: Tensor
    basis: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, *, step: float, low: float, high: float, gradient: Gradient) -> None:
        super().__init__()
        order = torch.arange(_BLOCK)
        basis = torch.cos(math.pi * (2 * order[None, :] + 1) * order[:, None] / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
        basis[0] /= math.sqrt(2)
        self.register_buffer("basis", basis)
        self.register_buffer("steps", step * (high - low) * (1 + (order[:, None] + order[None, :]) / 2))
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))
        self.gradient: Gradient = gradient

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) images."""
        n, c, h, w = x.shape
        wide = functional.pad(x, (0, -w % _BLOCK, 0, -h % _BLOCK), mode="replicate")
        rows, columns = wide.shape[2] // _BLOCK, wide.shape[3] // _BLOCK
        blocks = wide.reshape(n, c, rows, _BLOCK, columns, _BLOCK).transpose(3, 4)
        basis, steps, middle = self.basis.to(x), self.steps.to(x), ((self.low + self.high) / 2).to(x)
        spectrum = basis @ (blocks - middle) @ basis.T
        back = basis.T @ (rounded(spectrum / steps, self.gradient) * steps) @ basis + middle
        whole = back.transpose(3, 4).reshape(wide.shape)[:, :, :h, :w]
        return whole.clamp(float(self.low), float(self.high))
