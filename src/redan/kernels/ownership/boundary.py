"""Inputs just across the owner's own decision boundary: a fingerprint of a model that nothing was put into.

Source: Cao, Jia & Gong 2021, "IPGuard: protecting intellectual property of deep neural networks via fingerprinting the
classification boundary", section 3, with inputs and targets chosen by a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from redan.kernels.ownership.secret import stream
from redan.kernels.ownership.trigger_set import TriggerSet

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Logits: TypeAlias = Callable[["Tensor"], "Tensor"]
STEPS = 200
RATE = 0.01


def fingerprint(
    logits: Logits,
    key: bytes,
    k: int,
    shape: tuple[int, ...],
    classes: int,
    *,
    bounds: tuple[float, float],
    margin: float,
    start: NDArray[np.float32] | None = None,
) -> TriggerSet:
    """Move inputs until the model answers a secret class, with a small margin.

    Which class an independent model answers there is nearly open; a model that was made from this one keeps the answer.

    Args:
        logits: (n, …) to (n, k) logits, differentiable.
        key: the owner's secret; it draws starting points and classes.
        k: how many.
        shape: of one input.
        classes: classes of the model.
        bounds: lowest and highest legal value.
        margin: logits by which the secret class is to lead, at least.
        start: (m, …) inputs to start from, chosen by the key; uniform noise when None.

    Returns:
        Those that reached their class; fewer than k where the model never answers some class.
    """
    draws = stream(key, "fingerprint")
    low, high = bounds
    if start is None:
        first = (low + (high - low) * draws.random((k, *shape))).astype(np.float32)
    else:
        first = start[draws.integers(0, len(start), k)].astype(np.float32)
    wanted = torch.from_numpy(draws.integers(0, classes, k))
    x = torch.from_numpy(first).requires_grad_()
    optimiser = torch.optim.Adam([x], lr=RATE * (high - low))
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = torch.relu(margin - _lead(logits(x), wanted)).sum()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            x.clamp_(low, high)
    found = x.detach()
    with torch.no_grad():
        held = (_lead(logits(found), wanted) > 0).numpy()
    return TriggerSet(x=found.numpy()[held], y=wanted.numpy()[held])


def _lead(scores: Tensor, wanted: Tensor) -> Tensor:
    """Return how far the wanted class leads the best other one, (n,)."""
    others = scores.clone()
    others.scatter_(1, wanted[:, None], -torch.inf)
    return scores.gather(1, wanted[:, None])[:, 0] - others.amax(dim=1)
