"""A narrower network of the same build, derived from a network without its source.

Every dense, convolutional and normalising layer is made anew with a share of its width, a multiple of eight where it is
larger than that; how many columns reach it is seen when one batch goes through. What the last layer puts out stays.
Between them the network's own forward runs, so whatever it does with shapes it must do by looking at them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

_CONVOLUTIONS: dict[type[nn.Module], Any] = {
    nn.Conv1d: nn.LazyConv1d,
    nn.Conv2d: nn.LazyConv2d,
    nn.Conv3d: nn.LazyConv3d,
}
_NORMS: dict[type[nn.Module], Any] = {
    nn.BatchNorm1d: nn.LazyBatchNorm1d,
    nn.BatchNorm2d: nn.LazyBatchNorm2d,
    nn.BatchNorm3d: nn.LazyBatchNorm3d,
}
_LANES = 8
"""Widths are multiples of this where they are larger: others leave parts of a vector register empty and are slower."""
_HINT = "give the student yourself: redan.threats.evasion.mitigations.distillation.distilled(..., student=module)"


def narrower(net: nn.Module, example: Tensor, width: float) -> nn.Module:
    """Return an untrained copy with a share of the width.

    Fresh weights come from torch's global stream: call it within `own_randomness`.

    Args:
        net: the network; left as it was.
        example: a few inputs, shape (m, ...), m >= 2.
        width: share of each layer's outputs that is kept, in (0, 1].

    Raises:
        UsageError: a layer cannot be made narrower, or the network's forward insists on its widths.
    """
    student = copy.deepcopy(net).eval()
    last = _last_layer(student, example)
    for name, part in list(student.named_modules()):
        if next(part.parameters(recurse=False), None) is not None:
            _replace(student, name, _narrow(part, 1.0 if part is last else width).to(example.device, example.dtype))
    try:
        with torch.no_grad():
            answers = student(example)
    except (RuntimeError, ValueError, TypeError) as err:
        raise UsageError(f"the network does not run with narrower layers: {err}", hint=_HINT) from err
    if any(isinstance(part, nn.modules.lazy.LazyModuleMixin) for part in student.modules()):
        raise UsageError("a layer of the network is not used in its forward", hint=_HINT)
    if not isinstance(answers, torch.Tensor) or len(answers) != len(example):
        raise UsageError("the narrower network does not give one row an input", hint=_HINT)
    return student


def weights(net: nn.Module) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in net.parameters())


def _last_layer(net: nn.Module, example: Tensor) -> nn.Module | None:
    """The dense or convolutional layer that is called last."""
    called: list[nn.Module] = []
    kinds: tuple[type[nn.Module], ...] = (nn.Linear, *_CONVOLUTIONS)
    hooks = [
        part.register_forward_hook(lambda module, _inputs, _output: called.append(module))
        for part in net.modules()
        if isinstance(part, kinds)
    ]
    try:
        with torch.no_grad():
            net(example)
    finally:
        for hook in hooks:
            hook.remove()
    return called[-1] if called else None


def _narrow(part: nn.Module, width: float) -> nn.Module:
    """A layer of the same kind with a share of the outputs, whose inputs are counted when it is first called."""
    kind = type(part)
    if isinstance(part, nn.Linear) and kind is nn.Linear:
        return nn.LazyLinear(_share(part.out_features, width), bias=part.bias is not None)
    if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and kind in _CONVOLUTIONS and part.groups == 1:
        made: nn.Module = _CONVOLUTIONS[kind](
            _share(part.out_channels, width),
            part.kernel_size,
            stride=part.stride,
            padding=part.padding,
            dilation=part.dilation,
            bias=part.bias is not None,
            padding_mode=part.padding_mode,
        )
        return made
    if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and kind in _NORMS:
        norm: nn.Module = _NORMS[kind](eps=part.eps, momentum=part.momentum)
        return norm.eval()
    raise UsageError(f"no narrower {kind.__name__} can be made", hint=_HINT)


def _share(width: int, share: float) -> int:
    kept = width * share
    if share == 1:
        return width
    return int(kept / _LANES + 0.5) * _LANES if kept >= _LANES else max(1, round(kept))


def _replace(net: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(net.get_submodule(parent), last, part)
