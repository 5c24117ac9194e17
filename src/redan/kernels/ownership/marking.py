"""Fine-tuning that puts a trigger set or secret bits into a network while it keeps its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from redan.kernels.ownership.secret import bits
from redan.kernels.ownership.weights import carried, carrier, penalty, projection

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.ownership.trigger_set import TriggerSet
    from redan.kernels.training.course import Batch, Lesson

IN_EACH = 8
"""Triggers in each batch."""


def with_triggers(net: nn.Module, secret: TriggerSet, generator: torch.Generator) -> Lesson:
    """Learn the rows of a batch and a few triggers beside them.

    Args:
        net: the network, in training mode.
        secret: triggers and their labels.
        generator: chooses the triggers of each batch.
    """
    x, y = torch.as_tensor(secret.x), torch.as_tensor(secret.y)

    def lesson(batch: Batch) -> Tensor:
        chosen = torch.randint(len(x), (min(IN_EACH, len(x)),), generator=generator)
        inputs = torch.cat([batch.inputs, x[chosen].to(batch.inputs)])
        labels = torch.cat([batch.labels, y[chosen].to(batch.labels)])
        return functional.cross_entropy(net(inputs), labels)

    return lesson


def with_bits(net: nn.Module, key: bytes, n_bits: int, *, strength: float) -> Lesson:
    """Learn the rows of a batch, and move the carrying layer until it says the secret bits.

    Args:
        net: the network, in training mode.
        key: the owner's secret.
        n_bits: how many bits.
        strength: weight of the bits in the loss.

    Raises:
        ValueError: no layer has room for so many bits.
    """
    name, weight = carrier(net)
    if len(carried(weight)) < n_bits:
        msg = f"{name} has room for {len(carried(weight))} bits, {n_bits} are wanted"
        raise ValueError(msg)
    directions = torch.from_numpy(projection(key, n_bits, len(carried(weight)))).to(weight)
    secret = torch.from_numpy(bits(key, n_bits, "weight bits")).to(weight)

    def lesson(batch: Batch) -> Tensor:
        told = functional.cross_entropy(net(batch.inputs), batch.labels)
        return told + strength * penalty(weight, directions, secret)

    return lesson
