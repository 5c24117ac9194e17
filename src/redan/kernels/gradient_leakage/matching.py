"""Inverting gradients: inputs whose update points the same way as the one that was shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.gradient_leakage.updates import update_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from redan.kernels.gradient_leakage.updates import Update

DECAYS = (3 / 8, 5 / 8, 7 / 8)
"""Where the pace falls to a tenth, as shares of all steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How to search.

    Attributes:
        steps: of Adam.
        learning_rate: at the start, as a share of the value range.
        total_variation: weight of the mean difference between neighbouring pixels; images only.
    """

    steps: int = 300
    learning_rate: float = 0.1
    total_variation: float = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """What was found.

    Attributes:
        x: (n, …) inputs.
        distance: 1 − cosine between their update and the shared one.
        reason: why the search ended early, else empty.
    """

    x: Tensor
    distance: float
    reason: str = ""


def distance(update: Update, shared: Update) -> Tensor:
    """Return 1 − cosine between two updates; entries that the shared one holds as zero do not count."""
    one = torch.cat([g[s != 0] for g, s in zip(update, shared, strict=True)])
    other = torch.cat([s[s != 0] for s in shared])
    far: Tensor = 1 - (one @ other) / (one.norm() * other.norm()).clamp_min(1e-20)
    return far


def match(
    net: nn.Module,
    shared: Update,
    y: Tensor,
    start: Tensor,
    bounds: tuple[Tensor, Tensor],
    settings: Matching,
    stop: Callable[[], str | None],
) -> Matched:
    """Search for the rows of a batch.

    Args:
        net: the network at the time of the update, in evaluation mode.
        shared: the update, as it was sent.
        y: (n,) classes.
        start: (n, …) where to begin.
        bounds: lowest and highest value, of the shape of one input or scalars.
        settings: of the search.
        stop: asked before each step.

    Source: Geiping et al. 2020, "Inverting gradients", equation 4: cosine distance and total variation, Adam on the
    sign of the gradient, the pace divided by ten at 3/8, 5/8 and 7/8 of the steps, values kept in their range.
    """
    low, high = bounds
    x = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=settings.learning_rate)
    best, least, reason = start.clone(), float("inf"), ""
    decays = {round(settings.steps * share) for share in DECAYS}
    for step in range(settings.steps):
        if why := stop():
            reason = why
            break
        if step in decays:
            optimiser.param_groups[0]["lr"] *= 0.1
        far = distance(update_of(net, low + x * (high - low), y, differentiable=True), shared)
        if float(far.detach()) < least:
            best, least = x.detach().clone(), float(far.detach())
        (slope,) = torch.autograd.grad(far + settings.total_variation * roughness(x), x)
        x.grad = slope.sign()
        optimiser.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return Matched(x=(low + best * (high - low)).detach(), distance=least, reason=reason)


def roughness(x: Tensor) -> Tensor:
    """Return the mean absolute difference between neighbouring pixels; 0 for what is no image."""
    if x.ndim < 3:
        return torch.zeros((), dtype=x.dtype)
    return x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()
