"""Where a descent may begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball
from redan.kernels.attacks.projection import TINY, column, l2_norm, project

if TYPE_CHECKING:
    from torch import Tensor

_SECOND = 1 << 40
"""Streams from here on choose the values that a sparse start changes."""


def random_points(inputs: Tensor, ball: Ball, keys: draws.Keys, *, stream: int) -> Tensor:
    """Random points around inputs of shape (n, ...), brought into ball and box.

    Linf: uniform in the cube. L2: a uniform direction at the full radius. L1: Laplacian changes that sum to the full
    radius. L0: as many values as the radius counts, chosen at random, each uniform in the box.
    """
    shape = tuple(inputs.shape[1:])
    if ball.norm == "linf":
        noise = torch.from_numpy(draws.uniform(keys, shape, stream=stream)).to(inputs).mul_(2).sub_(1)
        return project(inputs + ball.eps * noise, inputs, ball)
    if ball.norm == "l2":
        noise = torch.from_numpy(draws.normal(keys, shape, stream=stream)).to(inputs)
        noise /= column(l2_norm(noise).clamp_min(TINY), noise)
        return project(inputs + ball.eps * noise, inputs, ball)
    unit = torch.from_numpy(draws.uniform(keys, shape, stream=stream)).to(inputs)
    if ball.norm == "l1":
        signed = 2 * unit - 1
        noise = -torch.log1p(-signed.abs().clamp_max(1 - 1e-6)) * signed.sign()
        noise *= column(ball.eps / noise.flatten(1).abs().sum(dim=1).clamp_min(TINY), noise)
        return project(inputs + noise, inputs, ball)
    places = torch.from_numpy(draws.uniform(keys, shape, stream=stream + _SECOND)).flatten(1)
    chosen = places.topk(min(int(ball.eps), places.shape[1]), dim=1).indices.to(inputs.device)
    mask = torch.zeros_like(inputs.flatten(1), dtype=torch.bool).scatter_(1, chosen, True)
    anywhere = ball.box.low + unit * (ball.box.high - ball.box.low)
    return torch.where(mask.reshape(inputs.shape), anywhere, inputs).clamp_(ball.box.low, ball.box.high)
