"""What enters the last layer of a torch net, read by a hook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from redan.core.errors import ShapeMismatch
from redan.kernels.attacks.oracle import untouched

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_LAST = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def penultimate(net: nn.Module, ask: Callable[[Tensor], Tensor], sample: Tensor) -> Callable[[Tensor], Tensor]:
    """Find the last linear or convolutional layer that runs, and return a function that reads its input.

    Args:
        net: the module that holds the layer.
        ask: calls it, with whatever stands before it.
        sample: (n, …) rows to find the layer with.

    Returns:
        Maps rows (n, …) to features (n, d), differentiable. One call at a time: the hook belongs to the module.

    Raises:
        ShapeMismatch: no such layer runs.
    """
    order: list[nn.Module] = []
    hooks = [
        layer.register_forward_pre_hook(lambda module, _: order.append(module))
        for layer in net.modules()
        if isinstance(layer, _LAST)
    ]
    try:
        with torch.no_grad(), untouched(net):
            ask(sample)
    finally:
        for hook in hooks:
            hook.remove()
    if not order:
        raise ShapeMismatch("no linear or convolutional layer runs", hint="let the detector read the inputs instead")
    last = order[-1]

    def features(rows: Tensor) -> Tensor:
        seen: list[Tensor] = []

        def keep(_module: nn.Module, inputs: Any) -> None:
            seen.append(inputs[0])

        hook = last.register_forward_pre_hook(keep)
        try:
            ask(rows)
        finally:
            hook.remove()
        return seen[-1].flatten(1)

    return features
