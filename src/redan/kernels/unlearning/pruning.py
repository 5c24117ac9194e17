"""Channels that clean rows hardly use, and a network without them.

Source: Liu, Dolan-Gavitt & Garg 2018, "Fine-pruning: defending against backdooring attacks on deep neural networks",
section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_PART = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channels:
    """Output channels of one layer.

    Attributes:
        layer: a linear or convolutional layer.
        activation: (channels,) mean of the positive part of each channel on clean rows.
    """

    layer: nn.Module
    activation: Tensor


def last_hidden(net: nn.Module, sample: Tensor) -> nn.Module:
    """Return the last convolution that runs, or the linear layer before the last where there is none.

    Args:
        net: maps rows (n, …) to logits; in evaluation mode.
        sample: (n, …) rows.

    Raises:
        ShapeMismatch: no layer lies before the last one.
    """
    order: list[nn.Module] = []
    kinds = (nn.Linear, *CONVOLUTIONS)
    hooks = [
        layer.register_forward_pre_hook(lambda module, _: order.append(module))
        for layer in net.modules()
        if isinstance(layer, kinds)
    ]
    try:
        with torch.no_grad():
            net(sample)
    finally:
        for hook in hooks:
            hook.remove()
    hidden = [layer for layer in order[:-1] if isinstance(layer, CONVOLUTIONS)] or order[:-1]
    if not hidden:
        raise ShapeMismatch(
            "no linear or convolutional layer runs before the last one", hint="choose another mitigation"
        )
    return hidden[-1]


def channels(net: nn.Module, layer: nn.Module, inputs: Tensor) -> Channels:
    """Measure how much each output channel of a layer is used on clean rows (n, …), n > 0."""
    sums: list[Tensor] = []
    axis = 1 if isinstance(layer, CONVOLUTIONS) else -1

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        by_channel = output.detach().clamp_min(0).movedim(axis, -1)
        sums.append(by_channel.reshape(len(output), -1, by_channel.shape[-1]).mean(dim=1).sum(dim=0))

    hook = layer.register_forward_hook(keep)
    try:
        with torch.no_grad():
            for part in inputs.split(_PART):
                net(part)
    finally:
        hook.remove()
    return Channels(layer=layer, activation=torch.stack(sums).sum(dim=0) / len(inputs))


def prune(layer: nn.Module, chosen: Tensor) -> None:
    """Set the weights into some output channels (k,) to zero, in place."""
    with torch.no_grad():
        for parameter in layer.parameters(recurse=False):
            parameter[chosen] = 0


def keep_pruned(layer: nn.Module, chosen: Tensor) -> Callable[[], None]:
    """Let training leave pruned channels at zero; returns what ends that."""
    handles = []
    for parameter in layer.parameters(recurse=False):
        mask = torch.ones_like(parameter)
        mask[chosen] = 0
        if parameter.requires_grad:
            handles.append(parameter.register_hook(lambda gradient, mask=mask: gradient * mask))

    def end() -> None:
        for handle in handles:
            handle.remove()

    return end


def most_prunable(
    net: nn.Module, found: Channels, accuracy: Callable[[], float], most_loss: float, stop: Callable[[], object]
) -> Tensor:
    """Prune channels in place from the least used on, and return those that could go.

    Args:
        net: the network that holds the layer.
        found: its channels.
        accuracy: asks the network about clean rows.
        most_loss: of accuracy, as a share; the step that loses more is taken back.
        stop: asked between steps.
    """
    order = found.activation.argsort(stable=True)
    first, gone = accuracy(), 0
    step = max(1, len(order) // 16)
    while gone + step < len(order) and not stop():
        before = {name: value.clone() for name, value in found.layer.state_dict().items()}
        prune(found.layer, order[: gone + step])
        if accuracy() < first - most_loss:
            found.layer.load_state_dict(before)
            break
        gone += step
    return order[:gone]
