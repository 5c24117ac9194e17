"""The shortest way across a plane without leaving the box: what a minimum-norm attack does to a linear model.

Source: Croce and Hein, "Minimally distorted adversarial examples with a fast adaptive boundary attack", ICML 2020,
section 3.1 (projection on the intersection of a hyperplane and box constraints), for L1, L2 and Linf; L0 by the same
greedy order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.projection import TINY, distance

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Box, Norm


def cross(inputs: Tensor, slopes: Tensor, drop: Tensor, norm: Norm, box: Box) -> tuple[Tensor, Tensor]:
    """The nearest points of the box at which linear functions have fallen enough.

    Args:
        inputs: inside the box, shape (n, ...).
        slopes: gradient of each function, shape (n, ...).
        drop: by how much each must fall, shape (n,); not above 0: the input itself.
        norm: distance to make small.
        box: legal values.

    Returns:
        The points, shape (n, ...), and their distances, float64, shape (n,). Where no point of the box falls so far,
        the corner that falls most, at distance infinity.
    """
    flat, weight = inputs.flatten(1), slopes.flatten(1)
    size = weight.abs()
    room = torch.where(weight > 0, flat - box.low, box.high - flat).masked_fill(weight == 0, 0.0)
    wanted = drop.clamp_min(0).to(flat)
    move = _fill(size, room, wanted, norm) if norm in {"l1", "l0"} else _grow(size, room, wanted, norm)
    points = (flat - move * weight.sign()).clamp(box.low, box.high).reshape(inputs.shape)
    possible = (size * room).sum(dim=1) >= wanted
    lengths = distance(points, inputs, norm)
    return points, torch.where(possible, lengths, torch.inf)


def _grow(size: Tensor, room: Tensor, wanted: Tensor, norm: Norm) -> Tensor:
    """Linf and L2: every coordinate moves in proportion to its rate until it meets the box.

    The scale that would do without a box is too small; those that it drives into the box stay there and the others
    carry the rest, until nothing more meets the box.
    """
    rate = torch.ones_like(size).masked_fill(size == 0, 0.0) if norm == "linf" else size
    bounded, scale = torch.zeros_like(size, dtype=torch.bool), torch.zeros_like(wanted)
    for _ in range(size.shape[1] + 1):
        done = (size * room).masked_fill(~bounded, 0.0).sum(dim=1)
        free = (size * rate).masked_fill(bounded, 0.0).sum(dim=1)
        scale = torch.maximum(scale, (wanted - done).clamp_min(0) / free.clamp_min(TINY))
        now = (rate * scale.unsqueeze(1) >= room) | bounded
        if bool((now == bounded).all()):
            break
        bounded = now
    return torch.minimum(rate * scale.unsqueeze(1), room)


def _fill(size: Tensor, room: Tensor, wanted: Tensor, norm: Norm) -> Tensor:
    """L1 and L0: coordinates move to the box's end one after the other, those that gain most first."""
    gain = size.double() * room
    order = (size if norm == "l1" else gain).argsort(dim=1, descending=True, stable=True)
    gains = gain.gather(1, order)
    before = gains.cumsum(dim=1) - gains
    share = ((wanted.unsqueeze(1) - before) / gains.clamp_min(TINY)).clamp(0, 1).to(room)
    if norm == "l0":
        share = share.ceil()  # a value that changes at all costs as much as one that changes fully
    return torch.zeros_like(room).scatter(1, order, share * room.gather(1, order))
