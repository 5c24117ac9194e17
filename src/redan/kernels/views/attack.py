"""A perturbation that holds over many views: expectation over transformation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.loss import margin
from redan.kernels.views.sampling import seen, view_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.oracle import Oracle
    from redan.kernels.draws import Keys
    from redan.kernels.views.sampling import Spread

_FRESH = 1_000_000
"""Views that judge are numbered from here, so that no attack has seen them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """How hard to try.

    Attributes:
        steps: gradient steps.
        views: views a step; 0 attacks the image itself, as an attack without views would.
        batch: most images at once.
    """

    steps: int = 40
    views: int = 8
    batch: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Views within a box.

    Attributes:
        spread: how far views differ.
        low: darkest value.
        high: brightest value.
    """

    spread: Spread
    low: float
    high: float

    def __call__(self, x: Tensor, keys: Keys) -> Tensor:
        """Return one view of each image (n, c, h, w)."""
        return seen(x, keys, self.spread, low=self.low, high=self.high)


def perturb(
    oracle: Oracle,
    x: Tensor,
    y: Tensor,
    keys: Keys,
    *,
    lens: Lens,
    eps: float,
    settings: ViewSettings,
    stop: Callable[[], str | None] = lambda: None,
) -> tuple[Tensor, str]:
    """Move images within Linf ``eps`` so that the mean margin over their views falls.

    Args:
        oracle: the counted model.
        x: (n, c, h, w).
        y: (n,) classes.
        keys: (n,).
        lens: the views.
        eps: Linf radius on the inputs' own scale.
        settings: steps and views.
        stop: asked before each step.

    Returns:
        The images (n, c, h, w), and why it was cut short, else an empty text.

    Source: Athalye et al. 2018, equation 2 with a bound in place of a penalty; signed steps with momentum 0.75 that
    fall from eps / 2 to eps / 40.
    """
    moved, memory = x.clone(), torch.zeros_like(x)
    for step in range(settings.steps):
        if why := stop():
            return moved, why
        gradient = torch.zeros_like(x)
        for part in torch.arange(len(x)).split(settings.batch):
            gradient[part] = _gradient(oracle, moved[part], y[part], keys[part.numpy()], step, lens, settings)
        size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-30)
        memory = 0.75 * memory + gradient / size
        rate = eps * (0.5 - 0.475 * step / max(settings.steps - 1, 1))
        moved = (moved - rate * memory.sign()).clamp(x - eps, x + eps).clamp(lens.low, lens.high)
    return moved, ""


def _gradient(
    oracle: Oracle, x: Tensor, y: Tensor, keys: Keys, step: int, lens: Lens, settings: ViewSettings
) -> Tensor:
    def objective(logits: Tensor) -> Tensor:
        # a view that errs already needs no push; without the bound a few views would drown the others
        return torch.nn.functional.softplus(margin(logits, y))

    if not settings.views:
        return oracle.gradient(x, objective)[1]
    total = torch.zeros_like(x)
    for number in range(settings.views):
        leaf = x.detach().requires_grad_(True)
        view = lens(leaf, view_keys(keys, step * settings.views + number))
        _, by_view, _ = oracle.gradient(view, objective)
        (by_image,) = torch.autograd.grad(view, leaf, by_view)
        total += by_image
    return total


def judged(oracle: Oracle, x: Tensor, y: Tensor, keys: Keys, *, lens: Lens, views: int) -> Tensor:
    """Return whether each fresh view of each image is right, (views, n) bool."""
    answers = []
    for number in range(views):
        points = lens(x, view_keys(keys, _FRESH + number))
        answers.append(oracle.logits(points).argmax(1) == y)
    return torch.stack(answers)
