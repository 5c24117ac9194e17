"""Boxes and straight lines around the activations of a network.

Every function here is sound: the lines hold on the whole interval they are made for, not only at sampled points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn import functional

from redan.kernels.certify.graph import Concat, MaxPool, Node, Rectifier, Smooth, Stack, Sum, evaluate, smooth

if TYPE_CHECKING:
    from torch import Tensor

    Box: TypeAlias = tuple[Tensor, Tensor]
    """Lowest and highest values, (n, *shape) each."""

PIECES = 24
"""Pieces an interval is cut into to bound a smooth activation against its chord."""
CURVATURE = {"sigmoid": 0.0963, "tanh": 0.7700, "gelu": 0.7980, "silu": 0.5001, "softplus": 0.2501}
"""Upper bound of the magnitude of the second derivative."""
LOWEST = {"gelu": (-0.7517916, -0.1699714), "silu": (-1.2784645, -0.2784646)}
"""Where the only minimum of a smooth activation is, and its value rounded down."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """lower_slope · x + lower_shift ≤ f(x) ≤ upper_slope · x + upper_shift on an interval; (n, *shape) each."""

    lower_slope: Tensor
    lower_shift: Tensor
    upper_slope: Tensor
    upper_shift: Tensor


def interval(node: Node, boxes: list[Box]) -> Box:
    """Box of a node's output for boxes of what it reads (interval bound propagation).

    Source: Gowal et al. 2018, "On the effectiveness of interval bound propagation", equations 4 to 7.
    """
    low, high = boxes[0]
    match node.operation:
        case Smooth(name=name) if name in LOWEST:
            where, least = LOWEST[name]
            ends = smooth(name, low), smooth(name, high)
            dip = (low < where) & (high > where)
            return torch.where(dip, least, torch.minimum(*ends)), torch.maximum(*ends)
        case Rectifier() | Smooth() | MaxPool() | Concat() | Stack():
            return evaluate(node, [box[0] for box in boxes]), evaluate(node, [box[1] for box in boxes])
        case Sum(signs=signs):
            turned = [box if sign > 0 else (box[1], box[0]) for sign, box in zip(signs, boxes, strict=True)]
            return evaluate(node, [box[0] for box in turned]), evaluate(node, [box[1] for box in turned])
        case affine:
            centre, radius = affine.forward((low + high) / 2), affine.spread((high - low) / 2)  # type: ignore[union-attr]  # a source has no parents
            return centre - radius, centre + radius


def rectifier_lines(slope: float, low: Tensor, high: Tensor) -> Lines:
    """Chord above, and below the line through 0 with the slope that leaves the smaller area.

    Source: Zhang et al. 2018, "Efficient neural network robustness certification with general activation functions",
    table 2 and section 3.3 (the adaptive choice).
    """
    crossing = (low < 0) & (high > 0)
    ends = functional.leaky_relu(low, slope), functional.leaky_relu(high, slope)
    chord = (ends[1] - ends[0]) / (high - low).clamp_min(_TINY)
    sure = torch.where(high > 0, 1.0, slope).to(low.dtype)
    upper = torch.where(crossing, chord, torch.where(low >= 0, 1.0, sure))
    lower = torch.where(crossing, torch.where(high > -low, 1.0, slope).to(low.dtype), upper)
    shift = torch.where(crossing, ends[1] - chord * high, 0.0)
    return Lines(lower_slope=lower, lower_shift=torch.zeros_like(low), upper_slope=upper, upper_shift=shift)


def smooth_lines(name: str, low: Tensor, high: Tensor) -> Lines:
    """Two lines parallel to the chord.

    Between neighbours of an even grid of step h the activation differs from its chord by at most M h² / 8, where M
    bounds its second derivative, so the extremes on the grid bound those on the interval.
    """
    width = high - low
    slope = torch.where(width > 1e-4, (smooth(name, high) - smooth(name, low)) / width.clamp_min(_TINY), 0.0)
    least, most = torch.full_like(low, torch.inf), torch.full_like(low, -torch.inf)
    for step in range(PIECES + 1):
        at = low + width * (step / PIECES)
        rest = smooth(name, at) - slope * at
        least, most = torch.minimum(least, rest), torch.maximum(most, rest)
    slack = CURVATURE[name] / 8 * (width / PIECES) ** 2 + 1e-6
    return Lines(lower_slope=slope, lower_shift=least - slack, upper_slope=slope, upper_shift=most + slack)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolLines:
    """A window's maximum is at least the number at ``place``, and at most ``slope`` times it plus ``shift``."""

    place: Tensor
    """(n, c, h, w) int64, in the flattened channel of the input."""
    slope: Tensor
    """1 where that number is surely the largest, else 0."""
    shift: Tensor
    """0 or the highest value of the window."""


def pool_lines(pool: MaxPool, low: Tensor, high: Tensor) -> PoolLines:
    """Follow in each window the number with the highest lower bound."""
    reached, place = pool.pool(low)
    most = pool.pool(high)[0]
    # the others: what the window's maximum is without the number followed
    ceilings = _others(pool, high, place)
    sure = reached >= ceilings
    return PoolLines(place=place, slope=sure.to(low.dtype), shift=torch.where(sure, 0.0, most))


def _others(pool: MaxPool, high: Tensor, place: Tensor) -> Tensor:
    """Highest upper bound in each window apart from the number followed."""
    n, channels = high.shape[:2]
    padded = functional.pad(high, (pool.padding[1],) * 2 + (pool.padding[0],) * 2, value=-torch.inf)
    size = (high.shape[2], high.shape[3])
    places = torch.arange(size[0] * size[1], dtype=high.dtype).reshape(1, 1, *size)
    numbered = functional.pad(places, (pool.padding[1],) * 2 + (pool.padding[0],) * 2, value=-1)
    count = pool.kernel[0] * pool.kernel[1]
    unfold = {"kernel_size": pool.kernel, "dilation": pool.dilation, "stride": pool.stride}
    # unfold sums nothing, it only copies: infinite padding stays infinite
    windows = functional.unfold(padded, **unfold).reshape(n, channels, count, -1)
    where = functional.unfold(numbered, **unfold).reshape(1, 1, count, -1)
    followed = where == place.reshape(n, channels, 1, -1).to(where.dtype)
    rest: Tensor = windows.masked_fill(followed, -torch.inf).amax(dim=2)
    return rest.reshape(place.shape)
