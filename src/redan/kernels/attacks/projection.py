"""Balls and boxes: projection, steepest directions, distances and the exact final check.

Everywhere `inputs` and `points` have shape (n, ...), `eps` is a radius in the units of the inputs and the box is
[low, high] in every coordinate. The two norms are named "linf" and "l2".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

if TYPE_CHECKING:
    from torch import Tensor

Norm: TypeAlias = Literal["linf", "l2"]

TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The interval every coordinate of an input must stay in."""

    low: float
    """Smallest legal value."""
    high: float
    """Largest legal value."""

    def __post_init__(self) -> None:
        """Refuse an empty interval."""
        if not self.low < self.high:
            msg = f"bounds must satisfy low < high, got [{self.low}, {self.high}]"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """All points of the box within `eps` of an input under `norm`."""

    norm: Norm
    """The norm, "linf" or "l2"."""
    eps: float
    """Radius, > 0."""
    box: Box
    """Bounds of the inputs."""

    def __post_init__(self) -> None:
        """Refuse an unknown norm and a radius that is no radius."""
        if self.norm not in {"linf", "l2"}:
            msg = f'norm must be "linf" or "l2", got {self.norm!r}'
            raise ValueError(msg)
        if not 0 < self.eps < float("inf"):
            msg = f"eps must be a positive finite number, got {self.eps}"
            raise ValueError(msg)


def column(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (n,) to (n, 1, ..., 1) so that it broadcasts over `like` of shape (n, ...)."""
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def l2_norm(deltas: Tensor) -> Tensor:
    """Euclidean norm of each sample, shape (n,)."""
    return torch.linalg.vector_norm(deltas.flatten(1), dim=1)


def distance(points: Tensor, inputs: Tensor, norm: Norm) -> Tensor:
    """Distance of each point from its input under the norm, shape (n,), computed in float64."""
    deltas = (points.double() - inputs.double()).flatten(1)
    return deltas.abs().amax(dim=1) if norm == "linf" else torch.linalg.vector_norm(deltas, dim=1)


def project(points: Tensor, inputs: Tensor, ball: Ball) -> Tensor:
    """Bring points into the ball and the box.

    Linf: the exact projection. L2: clip to the box, scale to the ball; the result lies in both because the input
    does and both are convex.
    """
    low, high = ball.box.low, ball.box.high
    if ball.norm == "linf":
        return torch.minimum(torch.maximum(points, inputs - ball.eps), inputs + ball.eps).clamp_(low, high)
    deltas = points.clamp(low, high).sub_(inputs)
    scale = (ball.eps / l2_norm(deltas).clamp_min_(TINY)).clamp_max_(1.0)
    return deltas.mul_(column(scale, deltas)).add_(inputs).clamp_(low, high)


def tighten(points: Tensor, inputs: Tensor, ball: Ball) -> Tensor:
    """Remove the last rounding error: afterwards distance <= eps in float64 and every coordinate is in the box.

    `points` come from `project`, so at most a few units in the last place are to be undone; each pass moves the
    offending points towards their inputs.
    """
    points = points.clamp(ball.box.low, ball.box.high)
    for _ in range(8):
        excess = distance(points, inputs, ball.norm)
        outside = excess > ball.eps
        if not bool(outside.any()):
            break
        if ball.norm == "linf":
            far = (points.double() - inputs.double()).abs() > ball.eps
            points = torch.where(far, torch.nextafter(points, inputs), points)
        else:
            shrink = torch.where(outside, ball.eps / excess.clamp_min(TINY) * (1 - 2e-7), torch.ones_like(excess))
            shrunk = inputs + (points - inputs) * column(shrink, points).to(points.dtype)
            points = torch.where(column(outside, points), shrunk, points)
    return points


def steepest(gradients: Tensor, points: Tensor, ball: Ball) -> Tensor:
    """Unit direction of steepest ascent under the norm, shape (n, ...).

    Linf: the sign. L2: the normalised gradient, after zeroing the coordinates in which a *descent* step (-gradient)
    would leave the box: clipping them afterwards would waste part of the step.
    """
    if ball.norm == "linf":
        return gradients.sign()
    blocked = ((points <= ball.box.low) & (gradients > 0)) | ((points >= ball.box.high) & (gradients < 0))
    gradients = gradients.masked_fill(blocked, 0.0)
    return gradients / column(l2_norm(gradients).clamp_min(TINY), gradients)
