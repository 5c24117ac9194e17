"""Inputs that the first linear layer would see as the shared gradient says it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.gradient_leakage.closed_form import inputs_of
from redan.kernels.gradient_leakage.matching import DECAYS, roughness

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from redan.kernels.gradient_leakage.closed_form import Door

LEARNING_RATE = 0.05
FALL = 0.3
TOTAL_VARIATION = 1e-2


def unfolded(
    net: nn.Module,
    door: Door,
    seen: Tensor,
    shape: tuple[int, ...],
    bounds: tuple[Tensor, Tensor],
    steps: int,
    stop: Callable[[], str | None],
) -> Tensor:
    """Search for inputs (k, …) that give the layer's inputs (k, d), each on its own.

    The layers before the first linear one are common to all rows and known to whoever receives updates. The squared
    distance in what that layer sees has no second derivative to take, so a step costs a fifth of gradient matching,
    and a trained network, whose gradients are small, hides nothing by it.

    Args:
        net: the network, in evaluation mode.
        door: its first linear layer.
        seen: what that layer saw.
        shape: of one input.
        bounds: lowest and highest value, of the shape of one input or scalars.
        steps: of Adam.
        stop: asked before each step.

    Source: our own combination of the exact input of the layer (see `closed_form`) with Mahendran & Vedaldi 2015,
    "Understanding deep image representations by inverting them", equation 1.
    """
    low, high = bounds
    x = torch.full((len(seen), *shape), 0.5, dtype=seen.dtype, requires_grad=True)
    size = seen.square().mean(dim=1).clamp_min(1e-20)
    optimiser = torch.optim.Adam([x], lr=LEARNING_RATE)
    decays = {round(steps * share) for share in DECAYS}
    for step in range(steps):
        if stop():
            break
        if step in decays:
            optimiser.param_groups[0]["lr"] *= FALL
        with inputs_of(door.layer) as given:
            net(low + x * (high - low))
        far = ((given[0] - seen).square().mean(dim=1) / size).sum()
        (x.grad,) = torch.autograd.grad(far + TOTAL_VARIATION * len(seen) * roughness(x), x)
        optimiser.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return (low + x * (high - low)).detach()
