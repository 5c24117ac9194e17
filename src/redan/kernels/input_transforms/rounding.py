"""Rounding, with the gradient that attacks should follow, and inputs of fewer levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

Gradient: TypeAlias = Literal["straight-through", "own"]
"""Backward through a step: as if it were not there, or its own derivative, which is zero and hides the model."""


class _Rounded(torch.autograd.Function):
    """Rounds forward and passes the gradient backward unchanged.

    Source: Bengio, Léonard & Courville 2013, arXiv 1308.3432, section 4; as an attack through a defence Athalye,
    Carlini & Wagner 2018, section 4.1.
    """

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        """Round to whole numbers."""
        return values.round()

    @staticmethod
    def backward(_: Any, *gradients: Any) -> Any:
        """Let the gradient through."""
        return gradients[0]


def rounded(values: Tensor, gradient: Gradient) -> Tensor:
    """Round to whole numbers."""
    if gradient == "own":
        return values.round()
    whole: Tensor = _Rounded.apply(values)  # type: ignore[no-untyped-call]  # torch leaves apply untyped
    return whole


class BitDepth(nn.Module):
    """Rounds each value to one of 2^bits levels between the bounds.

    Source: Xu, Evans & Qi 2018, "Feature squeezing", NDSS, section III-A.

    Args:
        bits: bits of a value.
        low: lowest legal value.
        high: highest legal value.
        gradient: what passes backward.
    """

    bits: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, *, bits: int, low: float, high: float, gradient: Gradient) -> None:
        super().__init__()
        # as buffers they are part of the digest of what was measured
        self.register_buffer("bits", torch.tensor(bits))
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))
        self.gradient: Gradient = gradient

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …) to the nearest levels."""
        steps = 2 ** int(self.bits) - 1
        width = (self.high - self.low) / steps
        levels: Tensor = self.low + width * rounded((x - self.low) / width, self.gradient)
        return levels
