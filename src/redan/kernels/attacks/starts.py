"""Where a descent may begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball
from redan.kernels.attacks.projection import TINY, column, l2_norm, project

if TYPE_CHECKING:
    from torch import Tensor


def random_points(inputs: Tensor, ball: Ball, keys: draws.Keys, *, stream: int) -> Tensor:
    """Random points around inputs of shape (n, ...), brought into ball and box.

    Linf: uniform in the cube. L2: a uniform direction at the full radius.
    """
    shape = tuple(inputs.shape[1:])
    if ball.norm == "linf":
        noise = torch.from_numpy(draws.uniform(keys, shape, stream=stream)).to(inputs).mul_(2).sub_(1)
    else:
        noise = torch.from_numpy(draws.normal(keys, shape, stream=stream)).to(inputs)
        noise /= column(l2_norm(noise).clamp_min(TINY), noise)
    return project(inputs + ball.eps * noise, inputs, ball)
