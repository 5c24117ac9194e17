"""Inputs that keep as many activations alive as gradients can find."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers whose outputs a rectifier may set to zero."""

SHARPNESS = 15.0
"""Steepness of the smooth count; of 2, 6 and 15 the one that kept most outputs alive on test images from 2000 on."""


def densify(
    model: Callable[[Tensor], Tensor],
    module: nn.Module,
    x: Tensor,
    *,
    low: float,
    high: float,
    steps: int,
    stop: Callable[[], str | None] = lambda: None,
) -> Tensor:
    """Move inputs within the box so that more outputs of linear and convolutional layers are above zero.

    Args:
        model: calls ``module``; differentiable by its input.
        module: whose layers are watched.
        x: (n, …) starts.
        low: smallest value.
        high: largest value.
        steps: signed gradient steps, from a tenth of the box to a hundredth.
        stop: asked before each step.

    Returns:
        The moved inputs; the starts where no layer is watched.

    Source: Shumailov et al. 2021, section 4.3, maximises the norm of activations, which has no gradient where a
    rectifier is shut; here a smooth count of outputs above zero, taken before the rectifier, has one.
    """
    moved = x.clone()
    for step in range(steps):
        if stop():
            break
        leaf = moved.detach().requires_grad_(True)
        with torch.enable_grad(), _watching(module) as seen:
            model(leaf)
            alive = sum((_alive(out) for out in seen if out.requires_grad), torch.zeros(()))
            if not alive.requires_grad:
                return moved
            (gradient,) = torch.autograd.grad(alive, leaf)
        rate = (high - low) * (0.1 - 0.09 * step / max(steps - 1, 1))
        moved = (moved + rate * gradient.sign()).clamp(low, high)
    return moved


def _alive(outputs: Tensor) -> Tensor:
    flat = outputs.flatten(1)
    scale = flat.detach().abs().mean(dim=1, keepdim=True).clamp_min(1e-12)
    total: Tensor = torch.sigmoid(SHARPNESS * flat / scale).mean(dim=1).sum()
    return total


@contextmanager
def _watching(module: nn.Module) -> Iterator[list[Tensor]]:
    seen: list[Tensor] = []

    def remember(_: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        del given
        if isinstance(out, torch.Tensor):
            seen.append(out)

    hooks = [part.register_forward_hook(remember) for part in module.modules() if isinstance(part, _LAYERS)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
