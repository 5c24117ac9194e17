"""Balls and boxes: the nearest point inside, distances and the exact final check.

Everywhere `inputs` and `points` have shape (n, ...), `eps` is a radius in the units of the inputs and the box is
[low, high] in every coordinate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.ball import Ball, Box, Norm

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-12
"""What a length is divided by at least."""
_SOFTEST = 100
"""Most corrections of a soft threshold; every fourth one halves its interval at least."""
_LENGTH_SLACK = 1e-5
"""Share of the squared radius that a scaled point may fall short of it."""
_SUM_SLACK = 1e-6
"""Relative error of the sum of changes at which a soft threshold is exact enough."""


def column(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (n,) to (n, 1, ..., 1) so that it broadcasts over `like` of shape (n, ...)."""
    return values.reshape(-1, *([1] * (like.ndim - 1)))


def l2_norm(deltas: Tensor) -> Tensor:
    """Euclidean norm of each sample, shape (n,)."""
    lengths: Tensor = torch.linalg.vector_norm(deltas.flatten(1), dim=1)
    return lengths


def dual_norm(gradients: Tensor, norm: Norm) -> Tensor:
    """Norm dual to the distance, shape (n,): L1 for Linf, L2 for L2, the largest value for L1 and L0.

    L0 has no dual; the largest value is what one changed coordinate gains a unit.
    """
    flat = gradients.flatten(1)
    if norm == "linf":
        return flat.abs().sum(dim=1)
    return l2_norm(flat) if norm == "l2" else flat.abs().amax(dim=1)


def distance(points: Tensor, inputs: Tensor, norm: Norm) -> Tensor:
    """Distance of each point from its input under the norm, shape (n,), computed in float64."""
    deltas = (points.double() - inputs.double()).flatten(1)
    if norm == "linf":
        return deltas.abs().amax(dim=1)
    if norm == "l2":
        return l2_norm(deltas)
    return deltas.abs().sum(dim=1) if norm == "l1" else (deltas != 0).sum(dim=1).double()


def project(points: Tensor, inputs: Tensor, ball: Ball) -> Tensor:
    """The nearest point of ball and box together, in the Euclidean sense; inputs lie in the box."""
    return project_each(points, inputs, torch.full((len(points),), ball.eps).to(points), ball.norm, ball.box)


def project_each(points: Tensor, inputs: Tensor, radius: Tensor, norm: Norm, box: Box) -> Tensor:
    """The same with one radius a sample, shape (n,), >= 0.

    Sources: L1, Croce and Hein, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", ICML
    2021, proposition 2.1; L0, Croce and Hein, "Sparse and imperceivable adversarial attacks", ICCV 2019, section 3.1.
    """
    low, high = box.low, box.high
    limit = column(radius, points)
    if norm == "linf":
        return torch.minimum(torch.maximum(points, inputs - limit), inputs + limit).clamp_(low, high)
    if norm == "l0":
        return _keep_most(points, inputs, points.clamp(low, high), radius)
    within = _shorten if norm == "l2" else _soften
    deltas = within((points - inputs).flatten(1), (low - inputs).flatten(1), (high - inputs).flatten(1), radius)
    return deltas.reshape(points.shape).add_(inputs).clamp_(low, high)


def _shorten(deltas: Tensor, low: Tensor, high: Tensor, radius: Tensor) -> Tensor:
    """Nearest vectors of an L2 ball and the bounds: clip(scale * delta), where the scale gives the length `radius`.

    The scale that would be right if nothing were clipped is too small. Counting what it clips as clipped gives a larger
    one that is still not too large, so after a few rounds nothing more is clipped and it is exact.
    """
    clipped = deltas.clamp(low, high)
    outside = l2_norm(clipped) > radius
    if not bool(outside.any()):
        return clipped
    limit = radius.square()
    scale = torch.where(outside, radius / l2_norm(deltas).clamp_min(TINY), 1.0)
    for _ in range(deltas.shape[1]):
        shorter = deltas * scale.unsqueeze(1)
        inner = shorter.clamp(low, high)
        squares = inner.square()
        missing = (limit - squares.sum(dim=1)).masked_fill_(~outside, 0.0)
        if bool((missing <= _LENGTH_SLACK * limit).all()):
            break
        free = squares.masked_fill_(inner != shorter, 0.0).sum(dim=1)
        scale = scale * (1 + missing / free.clamp_min(TINY)).clamp_min_(1).sqrt_()
        scale = scale.clamp_max_(1.0)
    return inner


def _soften(deltas: Tensor, low: Tensor, high: Tensor, radius: Tensor) -> Tensor:
    """Nearest vectors of an L1 ball and the bounds: every change less the same threshold, then clipped.

    The sum of changes falls with the threshold in straight pieces, so Newton's step ends on the right one; a halving
    of the interval replaces it at every fourth step, where the piece is level and where it leaves the interval.
    """
    size, room = deltas.abs(), torch.where(deltas > 0, high, -low)
    threshold = torch.zeros_like(radius)
    least, most = threshold, size.amax(dim=1)
    outside = torch.minimum(size, room).sum(dim=1) > radius
    for step in range(_SOFTEST):
        left = size - threshold.unsqueeze(1)
        kept = torch.minimum(left, room).clamp_min_(0)
        excess = kept.sum(dim=1) - radius
        wrong = outside & (excess.abs() > _SUM_SLACK * radius)
        if not bool(wrong.any()):
            break
        least, most = torch.where(excess > 0, threshold, least), torch.where(excess > 0, most, threshold)
        slope = ((left > 0) & (left < room)).sum(dim=1)
        newton, middle = threshold + excess / slope.clamp_min(1), (least + most) / 2
        halve = (newton <= least) | (newton >= most) | (slope == 0) | (step % 4 == 3)
        threshold = torch.where(wrong, torch.where(halve, middle, newton), threshold)
    kept = torch.minimum(size - threshold.unsqueeze(1), room).clamp_min_(0)
    return torch.copysign(kept, deltas)


def _keep_most(points: Tensor, inputs: Tensor, clipped: Tensor, radius: Tensor) -> Tensor:
    """Keep the `radius` changes whose loss would move the point farthest, undo the others."""
    gain = (points - inputs).square().sub_((points - clipped).square()).flatten(1)
    most = int(radius.clamp_max(gain.shape[1]).amax()) if len(radius) else 0
    best = gain.topk(most, dim=1)
    ranks = torch.arange(most, device=gain.device).unsqueeze(0)
    kept = (ranks < radius.floor().unsqueeze(1)) & (best.values > 0)
    mask = torch.zeros_like(gain, dtype=torch.bool).scatter_(1, best.indices, kept)
    return torch.where(mask.reshape(points.shape), clipped, inputs)


def tighten(points: Tensor, inputs: Tensor, ball: Ball) -> Tensor:
    """Remove the last rounding error: afterwards distance <= eps in float64 and every coordinate is in the box.

    `points` come from `project`, so they move by a few units in the last place at most.
    """
    points = points.clamp(ball.box.low, ball.box.high)
    if ball.norm == "linf":
        return _tighten_cube(points, inputs, ball.eps)
    if ball.norm == "l0":
        return project(points, inputs, ball)
    slack = 1e-7
    while bool((outside := (lengths := distance(points, inputs, ball.norm)) > ball.eps).any()):
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


def open_coordinates(gradients: Tensor, points: Tensor, ball: Ball) -> Tensor:
    """The gradients without the coordinates in which a *descent* step (-gradient) would leave the box."""
    blocked = ((points <= ball.box.low) & (gradients > 0)) | ((points >= ball.box.high) & (gradients < 0))
    return gradients.masked_fill(blocked, 0.0)


def steepest(gradients: Tensor, points: Tensor, ball: Ball) -> Tensor:
    """Unit direction of steepest ascent under the norm, shape (n, ...).

    Linf: the sign. The others leave out coordinates that a descent step would drive out of the box: clipping them
    afterwards would waste part of the step. L2: the normalised gradient. L1: the signs of the largest values, as many
    as the ball can carry across the whole box, shared equally (Croce and Hein 2021, section 3). L0: the gradient
    scaled so that a step of length eps carries its largest coordinate across the whole box.
    """
    if ball.norm == "linf":
        return gradients.sign()
    gradients = open_coordinates(gradients, points, ball)
    if ball.norm == "l2":
        return gradients / column(l2_norm(gradients).clamp_min(TINY), gradients)
    flat, width = gradients.flatten(1), ball.box.high - ball.box.low
    if ball.norm == "l0":
        largest = flat.abs().amax(dim=1).clamp_min(TINY)
        return gradients * column(width / (ball.eps * largest), gradients)
    count = min(flat.shape[1], max(1, round(ball.eps / width)))
    chosen = flat.abs().topk(count, dim=1).indices
    sparse = torch.zeros_like(flat).scatter_(1, chosen, flat.gather(1, chosen).sign() / count)
    return sparse.reshape(gradients.shape)
