"""Images of small total variation near the ones given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_RATE = 0.125
"""The largest step for which the iteration is proven to converge."""
_SMALLEST = 1e-12


class TotalVariation(nn.Module):
    """Approaches the image u that minimises ‖u − x‖² / (2 weight) plus its total variation.

    The iterations are unrolled, so the gradient is that of what is computed. Source: Chambolle 2004, "An algorithm for
    total variation minimization and applications", equations 9 and 13.

    Args:
        weight: how much variation counts, on the scale of the inputs.
        iterations: of the dual problem.
    """

    weight: Tensor
    iterations: Tensor

    def __init__(self, *, weight: float, iterations: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self.register_buffer("iterations", torch.tensor(iterations))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) images."""
        weight = self.weight.to(x)
        down, right = torch.zeros_like(x), torch.zeros_like(x)
        for _ in range(int(self.iterations)):
            rest = _divergence(down, right) - x / weight
            by_row, by_column = _slopes(rest)
            scale = 1 + _RATE * (by_row.square() + by_column.square() + _SMALLEST).sqrt()
            down, right = (down + _RATE * by_row) / scale, (right + _RATE * by_column) / scale
        return x - weight * _divergence(down, right)


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the next row and to the next column, zero at the last."""
    return functional.pad(x.diff(dim=2), (0, 0, 0, 1)), functional.pad(x.diff(dim=3), (0, 1))


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """The negative adjoint of `_slopes`; the last row and column of its arguments are zero."""
    rows = functional.pad(down, (0, 0, 1, 0)).diff(dim=2)
    return rows + functional.pad(right, (1, 0)).diff(dim=3)
