"""What a classifier takes for the purest example of each class: gradient ascent on the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascent:
    """How to search.

    Attributes:
        steps: of Adam.
        learning_rate: as a share of the value range.
        total_variation: weight of the mean difference between neighbouring pixels; images only.
        decay: weight of the mean squared distance from the start.
    """

    steps: int = 200
    learning_rate: float = 0.05
    total_variation: float = 1.0
    decay: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inverted:
    """What was found.

    Attributes:
        x: (classes, …) one input a class.
        confidence: (classes,) the model's probability of its class.
        reason: why the search ended early, else empty.
    """

    x: Tensor
    confidence: Tensor
    reason: str = ""


def invert(
    logits: Callable[[Tensor], Tensor],
    classes: Tensor,
    start: Tensor,
    bounds: tuple[Tensor, Tensor],
    settings: Ascent,
    stop: Callable[[], str | None],
) -> Inverted:
    """Climb towards each class from one start.

    Args:
        logits: maps (n, …) inputs to (n, classes).
        classes: (k,) the classes.
        start: (k, …) where to begin.
        bounds: lowest and highest value, scalars or of the shape of one input.
        settings: of the search.
        stop: asked before each step.

    Source: Fredrikson, Jha & Ristenpart 2015, "Model inversion attacks that exploit confidence information", algorithm
    1 (MI-Face), with Adam for plain descent and total variation for their denoising step.
    """
    low, high = bounds
    begin = ((start - low) / (high - low)).clone()
    x = begin.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=settings.learning_rate)
    reason = ""
    for _ in range(settings.steps):
        if why := stop():
            reason = why
            break
        # summed over classes, so that each climbs as if it were alone
        loss = cross_entropy(logits(low + x * (high - low)), classes, reduction="sum")
        (x.grad,) = torch.autograd.grad(loss + _penalty(x, begin, settings), x)
        optimiser.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    found = (low + x * (high - low)).detach()
    with torch.no_grad():
        sure = logits(found).softmax(dim=1)[torch.arange(len(classes)), classes]
    return Inverted(x=found, confidence=sure, reason=reason)


def _penalty(x: Tensor, begin: Tensor, settings: Ascent) -> Tensor:
    far = (x - begin).square().flatten(1).mean(dim=1).sum()
    if x.ndim < 3:
        return settings.decay * far
    rough = x.diff(dim=-1).abs().flatten(1).mean(dim=1) + x.diff(dim=-2).abs().flatten(1).mean(dim=1)
    return settings.decay * far + settings.total_variation * rough.sum()
