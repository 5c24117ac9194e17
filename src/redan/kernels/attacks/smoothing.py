"""Gradients of a smoothed model from its answers alone: the last resort where backpropagation leads nowhere.

The gradient of the model's mean over a Gaussian neighbourhood, estimated from pairs of opposite directions. Source:
Ilyas, Engstrom, Athalye, Lin, "Black-box adversarial attacks with limited queries and information", ICML 2018,
section 2.1.1 (natural evolution strategies, antithetic sampling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from redan.kernels.attacks.projection import column

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.oracle import Model


def smoothed(model: Model, *, width: float, pairs: int, seed: int) -> Model:
    """Wrap a model: same answers, gradients by differences.

    Args:
        model: asked without gradients only.
        width: standard deviation of the neighbourhood, in the units of the inputs.
        pairs: pairs of answers for one gradient.
        seed: of the directions, drawn anew for every gradient.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)

    class Smoothed(torch.autograd.Function):
        """The model forwards, differences backwards."""

        @staticmethod
        def forward(ctx: Any, points: Tensor) -> Tensor:
            """The model's own answer."""
            ctx.save_for_backward(points)
            return model(points).clone()

        @staticmethod
        def backward(ctx: Any, *wanted: Tensor) -> Tensor:
            """Differences of answers around the points."""
            (points,) = ctx.saved_tensors
            return differences(model, points, wanted[0], width=width, pairs=pairs, generator=generator)

    def answer(points: Tensor) -> Tensor:
        found: Tensor = Smoothed.apply(points)  # type: ignore[no-untyped-call]  # torch does not type it
        return found

    return answer


def differences(
    model: Model, points: Tensor, wanted: Tensor, *, width: float, pairs: int, generator: torch.Generator
) -> Tensor:
    """Gradient (n, ...) of the inner product of answer and `wanted`, by differences along random directions."""
    total = torch.zeros_like(points)
    with torch.no_grad():
        for _ in range(pairs):
            direction = torch.randn(points.shape, generator=generator).to(points)
            change = model(points + width * direction) - model(points - width * direction)
            slope = (change * wanted).reshape(len(points), -1).sum(dim=1)
            total += column(slope, points) * direction
    return total / (2 * width * pairs)
