"""What the gradient of the first linear layer says exactly: its input, and so the row where nothing lies before it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from redan.kernels.gradient_leakage.updates import Update

_TINY = 1e-20
_SAME = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Door:
    """The first linear layer with a bias that is called, where it sees one vector for each row.

    Attributes:
        layer: the layer.
        weight: place of its weight among the parameters.
        bias: place of its bias.
        shift: (d,) what it sees of an input of zeros; None where it does not see every value of the input shifted and
            scaled on its own, because other layers come before.
        scale: (d,) by how much, else None.
    """

    layer: nn.Linear
    weight: int
    bias: int
    shift: Tensor | None = None
    scale: Tensor | None = None


@contextmanager
def inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a layer is given while this is open; the graph is kept."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        hook.remove()


def door_of(net: nn.Module, shape: tuple[int, ...]) -> Door | None:
    """Return the layer that lets rows be read off, or None where a network has none.

    Args:
        net: maps (n, …) inputs to logits; in evaluation mode.
        shape: of one input.
    """
    generator = torch.Generator().manual_seed(0)
    like = next(net.parameters())
    points = torch.stack([torch.zeros(shape), torch.ones(shape), torch.rand(shape, generator=generator)]).to(like)
    places = {id(p): place for place, p in enumerate(net.parameters())}
    for layer in (part for part in net.modules() if isinstance(part, nn.Linear) and part.bias is not None):
        with inputs_of(layer) as seen, torch.no_grad():
            net(points)
        if len(seen) != 1 or seen[0].ndim != 2 or len(seen[0]) != len(points):
            return None
        shift, scale = _affine(seen[0], points.reshape(len(points), -1))
        return Door(layer=layer, weight=places[id(layer.weight)], bias=places[id(layer.bias)], shift=shift, scale=scale)
    return None


def _affine(seen: Tensor, points: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Return shift and scale when the third point is seen as the first two foretell, else nothing."""
    if seen.shape != points.shape:
        return None, None
    shift, scale = seen[0], seen[1] - seen[0]
    plain = torch.allclose(seen[2], shift + scale * points[2], atol=1e-5) and bool((scale.abs() > _TINY).all())
    return (shift, scale) if plain else (None, None)


def seen_by(update: Update, door: Door, most: int) -> Tensor:
    """Return candidates (k, d) for what the layer saw of single rows; the weighted mean of all rows first.

    For one row that is seen as v the gradient of neuron i is (db_i · v, db_i), so every neuron with db_i ≠ 0 gives v
    exactly. In a batch a neuron gives a mean of rows weighted by its error on each; a neuron that one row alone excites
    gives that row. Those on which most neurons agree come first.

    Args:
        update: the shared gradients.
        door: the layer.
        most: candidates beside the mean.

    Source: Phong et al. 2018, "Privacy-preserving deep learning via additively homomorphic encryption", section 3;
    Geiping et al. 2020, "Inverting gradients", proposition 3.1.
    """
    weight, bias = update[door.weight], update[door.bias]
    mean = (bias @ weight) / bias.square().sum().clamp_min(_TINY)
    loud = bias.abs().argsort(descending=True, stable=True)[: 16 * most]
    loud = loud[bias[loud].abs() > 1e-6 * bias.abs().max().clamp_min(_TINY)]
    return torch.cat([mean[None], _agreed(weight[loud] / bias[loud, None])[:most]])


def _agreed(found: Tensor) -> Tensor:
    """Return one of each group of rows that are the same, the largest group first."""
    if not len(found):
        return found
    sizes = found.abs().amax(dim=1, keepdim=True).clamp_min(_TINY)
    same = torch.cdist(found / sizes, found / sizes, p=float("inf")) < _SAME
    first = same.float().argmax(dim=1)
    leaders, counts = first.unique(return_counts=True)
    return found[leaders[counts.argsort(descending=True, stable=True)]]


def rows_of(seen: Tensor, door: Door, shape: tuple[int, ...]) -> Tensor:
    """Turn what the layer saw (k, d) into inputs (k, …), where nothing but shift and scale lies before it.

    Raises:
        ValueError: other layers lie before it.
    """
    if door.shift is None or door.scale is None:
        msg = "other layers lie before the first linear layer"
        raise ValueError(msg)
    return ((seen - door.shift) / door.scale).reshape(len(seen), *shape)
