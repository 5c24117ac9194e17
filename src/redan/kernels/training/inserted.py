"""Layers that work in a network only while it is trained, put there from outside.

Both follow from one batch that goes through: which dense and convolutional layers are called, and in which order. So
they need no access to the network's own code, whether it writes its activations as modules or as functions.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from redan.core.errors import UsageError
from redan.kernels.training.modes import in_use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_NORMS: dict[type[nn.Module], Any] = {
    nn.Linear: nn.BatchNorm1d,
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}
_NAME = "normalised_while_trained"


@contextmanager
def dropout(net: nn.Module, example: Tensor, share: float) -> Iterator[int]:
    """Drop a share of what goes into every dense or convolutional layer but the first, in training mode.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.

    Args:
        net: the network; afterwards nothing of this is left in it.
        example: a few inputs, shape (m, ...).
        share: of the values, in [0, 1).

    Yields:
        Number of layers.

    Raises:
        UsageError: there is no such layer.
    """

    def dropped(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (functional.dropout(inputs[0], share, training=module.training), *inputs[1:])

    layers = list(_called(net, example))[1:]
    if not layers:
        raise UsageError("the network has fewer than two dense or convolutional layers, so nothing between them drops")
    hooks = [layer.register_forward_pre_hook(dropped) for layer in layers]
    try:
        yield len(layers)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def batch_normalisation(net: nn.Module, example: Tensor) -> Iterator[int]:
    """Normalise what comes out of every dense or convolutional layer but the last, and fold that into the weights.

    Folding scales weights that are not trained too. Source: Ioffe and Szegedy, "Batch normalization", ICML 2015,
    algorithms 1 and 2; in use it is a linear map, which the layer before it takes over.

    Args:
        net: the network; afterwards of the same build as before, biases apart where a layer had none.
        example: a few inputs, shape (m, ...).

    Yields:
        Number of layers.

    Raises:
        UsageError: the network normalises batches already, or there is no such layer.
    """
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in net.modules()):
        raise UsageError("the network has batch normalisation already")
    called = _called(net, example)
    layers = [layer for layer in list(called)[:-1] if _fits(layer, called[layer])]
    if not layers:
        raise UsageError("the network has no dense or convolutional layer, the last apart, that could be normalised")
    hooks = [_normalise(layer) for layer in layers]
    yield len(layers)
    for hook in hooks:
        hook.remove()
    for layer in layers:
        _fold(layer)


def _called(net: nn.Module, example: Tensor) -> dict[Any, tuple[int, ...]]:
    """Dense and convolutional layers in the order of their first calls, with the shapes of what comes out."""
    seen: dict[nn.Module, tuple[int, ...]] = {}
    hooks = [
        part.register_forward_hook(
            lambda module, _inputs, output: seen.setdefault(module, tuple(output.shape)) and None
        )
        for part in net.modules()
        if type(part) in _NORMS
    ]
    try:
        with in_use(net):
            net(example)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _fits(layer: Any, shape: tuple[int, ...]) -> bool:
    return not isinstance(layer, nn.Linear) or len(shape) == 2


def _normalise(layer: Any) -> Any:
    layer.add_module(_NAME, _NORMS[type(layer)](len(layer.weight)).to(layer.weight))
    return layer.register_forward_hook(lambda module, _inputs, output: getattr(module, _NAME)(output))


def _fold(layer: Any) -> None:
    norm = getattr(layer, _NAME)
    delattr(layer, _NAME)
    with torch.no_grad():
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        before = torch.zeros_like(scale) if layer.bias is None else layer.bias
        bias = (before - norm.running_mean) * scale + norm.bias
    if layer.bias is None:
        layer.bias = nn.Parameter(bias)
    else:
        layer.bias.data = bias
