"""The gradient that a participant of joint training shares, and what may be done to it before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

    Update = tuple[Tensor, ...]
    """One gradient for each parameter, in the order of ``net.parameters()``."""


def update_of(net: nn.Module, x: Tensor, y: Tensor, *, differentiable: bool = False) -> Update:
    """Gradient of the mean cross-entropy over a batch by every parameter; zeros for one that takes no part.

    Args:
        net: maps (n, …) inputs to (n, classes) logits.
        x: (n, …) inputs.
        y: (n,) classes, or (n, classes) shares of each.
        differentiable: whether the update itself can be differentiated by ``x``.
    """
    weights = tuple(net.parameters())
    loss = cross_entropy(net(x), y)
    found = torch.autograd.grad(loss, weights, create_graph=differentiable, allow_unused=True)
    return tuple(torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True))


def clipped_noisy(update: Update, *, norm: float, noise_multiplier: float, generator: torch.Generator) -> Update:
    """Clip the whole update to an L2 norm and add normal noise of ``noise_multiplier · norm`` to each entry.

    Source: Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1, for one participant.
    """
    total = torch.sqrt(sum((g.square().sum() for g in update), torch.zeros(())))
    scale = torch.clamp(norm / total.clamp_min(1e-12), max=1.0)
    spread = noise_multiplier * norm
    return tuple(g * scale + spread * torch.randn(g.shape, generator=generator, dtype=g.dtype) for g in update)


def signs(update: Update) -> Update:
    """Keep the sign of each entry only. Source: Bernstein et al. 2018, "signSGD", algorithm 1."""
    return tuple(g.sign() for g in update)


def largest(update: Update, *, share: float) -> Update:
    """Keep the largest entries of the whole update and set the others to zero.

    Args:
        update: one tensor for each parameter.
        share: of the entries that are kept, within (0, 1].

    Source: Aji and Heafield 2017, "Sparse communication for distributed gradient descent", section 3.
    """
    sizes = torch.cat([g.abs().reshape(-1) for g in update])
    kept = max(1, round(share * len(sizes)))
    threshold = torch.topk(sizes, kept).values[-1]
    return tuple(torch.where(g.abs() >= threshold, g, torch.zeros_like(g)) for g in update)
