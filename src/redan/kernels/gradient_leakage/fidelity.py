"""How like a reconstruction is to the row it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

MOST_DB = 100.0
"""What stands for an exact reconstruction."""


def psnr_db(found: Tensor, true: Tensor, span: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of every reconstruction against every row, (k, n) in dB.

    Args:
        found: (k, …) reconstructions.
        true: (n, …) rows.
        span: width of the value range, a scalar or one for each value of a row.
    """
    gap = ((found[:, None] - true[None]) / span).flatten(2)
    error = gap.double().square().mean(dim=2)
    return torch.clamp(-10 * torch.log10(error.clamp_min(1e-30)), max=MOST_DB)


def best_db(found: Tensor, true: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row its best reconstruction's ratio (n,) in dB, and that reconstruction's place (n,)."""
    ratios = psnr_db(found, true, span)
    best = ratios.max(dim=0)
    return best.values, best.indices
