"""Smoothing of images by a small window, edges repeated outwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_GAUSSIAN_SHARE = 0.25
"""Standard deviation of the Gaussian over the side of its window."""


class Median(nn.Module):
    """Replaces each pixel by the median of its neighbourhood; the gradient goes to the pixel that is the median.

    Source: Xu, Evans & Qi 2018, "Feature squeezing", NDSS, section III-B.

    Args:
        size: side of the window, odd.
    """

    size: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("size", torch.tensor(size))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) images."""
        side = int(self.size)
        windows = functional.pad(x, (side // 2,) * 4, mode="replicate").unfold(2, side, 1).unfold(3, side, 1)
        return windows.flatten(-2).median(dim=-1).values


class Gaussian(nn.Module):
    """Averages each pixel with its neighbours, the nearer the more.

    Args:
        size: side of the window, odd; a quarter of it is the standard deviation.
    """

    weights: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        places = torch.arange(size) - size // 2
        weights = torch.exp(-0.5 * (places / (_GAUSSIAN_SHARE * size)) ** 2)
        self.register_buffer("weights", weights / weights.sum())

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) images."""
        n, c, h, w = x.shape
        side = len(self.weights)
        kernel = self.weights.to(x)
        wide = functional.pad(x, (side // 2,) * 4, mode="replicate").reshape(n * c, 1, h + side - 1, w + side - 1)
        rows = functional.conv2d(wide, kernel.reshape(1, 1, 1, side))
        return functional.conv2d(rows, kernel.reshape(1, 1, side, 1)).reshape(n, c, h, w)
