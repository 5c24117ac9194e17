"""Balls and boxes: projection, steepest directions, distances and the exact final check.

Everywhere `inputs` and `points` have shape (n, ...), `eps` is a radius in the units of the inputs and the box is
[low, high] in every coordinate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.ball import Ball, Norm

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12
"""What a length is divided by at least."""


def column(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (n,) to (n, 1, ..., 1) so that it broadcasts over `like` of shape (n, ...)."""
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def l2_norm(deltas: Tensor) -> Tensor:
    """Euclidean norm of each sample, shape (n,)."""
    lengths: Tensor = torch.linalg.vector_norm(deltas.flatten(1), dim=1)
    return lengths


def dual_norm(gradients: Tensor, norm: Norm) -> Tensor:
    """Norm dual to the distance: L1 for Linf, L2 for L2; shape (n,)."""
    flat = gradients.flatten(1)
    return flat.abs().sum(dim=1) if norm == "linf" else l2_norm(flat)


def distance(points: Tensor, inputs: Tensor, norm: Norm) -> Tensor:
    """Distance of each point from its input under the norm, shape (n,), computed in float64."""
    deltas = (points.double() - inputs.double()).flatten(1)
    return deltas.abs().amax(dim=1) if norm == "linf" else l2_norm(deltas)


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

    `points` come from `project`, so they move by a few units in the last place at most.
    """
    points = points.clamp(ball.box.low, ball.box.high)
    if ball.norm == "linf":
        return _tighten_cube(points, inputs, ball.eps)
    slack = 1e-7
    while bool((outside := (lengths := distance(points, inputs, "l2")) > ball.eps).any()):
        share = column(ball.eps / lengths.clamp_min(TINY) * (1 - slack), points)
        shorter = (inputs.double() + (points.double() - inputs.double()) * share).to(points.dtype)
        points = torch.where(column(outside, points), shorter, points)
        slack *= 4
    return points


def _tighten_cube(points: Tensor, inputs: Tensor, eps: float) -> Tensor:
    """Clamp to [input - eps, input + eps], the ends taken in float64 and rounded inwards."""
    low, high = inputs.double() - eps, inputs.double() + eps
    first, last = low.to(points.dtype), high.to(points.dtype)
    up, down = torch.full_like(first, torch.inf), torch.full_like(last, -torch.inf)
    first = torch.where(first.double() < low, torch.nextafter(first, up), first)
    last = torch.where(last.double() > high, torch.nextafter(last, down), last)
    return torch.minimum(torch.maximum(points, first), last)


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
