"""Fine-tuning that puts a trigger set or secret bits into a network while it keeps its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from redan.kernels.ownership.secret import bits
from redan.kernels.ownership.weights import carried, carrier, penalty, projection

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.ownership.trigger_set import TriggerSet
    from redan.kernels.training.course import Batch, Lesson

IN_EACH = 32
"""Triggers beside each batch."""
PRUNED = 0.5
"""Share of the smallest weights without which the triggers are to be known as well, so that pruning leaves them."""
NORMALISING = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """Secret bits to put into weights.

    Attributes:
        key: the owner's secret.
        n: how many.
        strength: weight of the bits in the loss.
    """

    key: bytes
    n: int
    strength: float


def lesson_of(
    net: nn.Module, generator: torch.Generator, *, triggers: TriggerSet | None = None, bits: Bits | None = None
) -> Lesson:
    """Learn the rows of a batch, a few triggers beside them, and move the carrying layer until it says the bits.

    Batch normalisation keeps the means it has: those of a batch of triggers are not those that the model is used with.

    Args:
        net: the network; its layers of batch normalisation are put into evaluation mode.
        generator: chooses the triggers of each batch.
        triggers: secret inputs and their labels, or None.
        bits: secret bits, or None.

    Raises:
        ValueError: no layer has room for so many bits.
    """
    unknown = _unknown(net, triggers, generator) if triggers is not None else None
    misread = _misread(net, bits) if bits is not None else None
    normalising = [part for part in net.modules() if isinstance(part, NORMALISING)]

    def lesson(batch: Batch) -> Tensor:
        for part in normalising:
            part.eval()
        loss = functional.cross_entropy(net(batch.inputs), batch.labels)
        for more in (unknown, misread):
            loss = loss if more is None else loss + more()
        return loss

    return lesson


def _unknown(net: nn.Module, secret: TriggerSet, generator: torch.Generator) -> Callable[[], Tensor]:
    """Return the loss of a few triggers, under all weights and under the larger ones alone."""
    like = next(net.parameters())
    x, y = torch.as_tensor(secret.x).to(like), torch.as_tensor(secret.y).to(like.device)

    def loss() -> Tensor:
        chosen = torch.randint(len(x), (min(IN_EACH, len(x)),), generator=generator)
        left = torch.func.functional_call(net, without_smallest(net, PRUNED), (x[chosen],))
        return functional.cross_entropy(net(x[chosen]), y[chosen]) + functional.cross_entropy(left, y[chosen])

    return loss


def without_smallest(net: nn.Module, share: float) -> dict[str, Tensor]:
    """Return the weights of a network by name with the smallest share of each matrix at zero, differentiable.

    Args:
        net: the network.
        share: of the weights, within [0, 1).
    """
    kept = {}
    for name, weight in net.named_parameters():
        cut = int(share * weight.numel())
        if weight.dim() > 1 and cut:
            size = weight.detach().abs()
            kept[name] = weight * (size > size.flatten().kthvalue(cut).values)
    return kept


def _misread(net: nn.Module, wanted: Bits) -> Callable[[], Tensor]:
    name, weight = carrier(net)
    room = len(carried(weight))
    if room < wanted.n:
        msg = f"{name} has room for {room} bits, {wanted.n} are wanted"
        raise ValueError(msg)
    directions = torch.from_numpy(projection(wanted.key, wanted.n, room)).to(weight)
    secret = torch.from_numpy(bits(wanted.key, wanted.n, "weight bits")).to(weight)
    return lambda: wanted.strength * penalty(weight, directions, secret)
