"""A rehearsal on made-up rows before private training: whatever book-keeping would get wrong shows here.

Weights used behind their layer's back (a tied output matrix, a forward that was replaced), rows that see each other
through code which is no layer, and a first axis that is not the rows cannot be read off a network; they show as
gradients that differ from those of autograd. The rows are made up, so nothing is learnt about the data.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from redan.core.errors import CapabilityMissing
from redan.kernels.dp.bookkeeping import Book
from redan.kernels.training.randomness import own_randomness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from redan.kernels.dp.step import RowLosses

_ROWS = 3
_TOLERANCE = 1e-3
_HELD_BYTES = 2**26


def rehearse(net: nn.Module, losses: RowLosses, like: Tensor, labels_like: Tensor) -> int:
    """Compare with autograd on three made-up rows, and say how many rows fit 64 MiB of activations and gradients.

    Args:
        net: the network, in the mode it is trained in.
        losses: loss of each row.
        like: inputs whose shape and kind are taken, (n, …); integers become 0, a line that every table has.
        labels_like: labels, of which the kind is taken; all become 0.

    Raises:
        CapabilityMissing: gradients differ, rows see each other, or a layer is not supported.
    """
    inputs, labels = _made_up(like), labels_like.new_zeros((_ROWS, *labels_like.shape[1:]))
    book = Book(net)
    with _without_dropout(net), own_randomness(0, "rehearsal"):
        noted = book.clipped(lambda: losses(net(inputs), labels), math.inf)
    with _without_dropout(net), own_randomness(0, "rehearsal"):
        truth = _by_autograd(net, losses, inputs, labels, book.parameters)
    scale = max((float(wanted.norm()) for wanted in truth), default=0.0)
    names = {parameter: name for name, parameter in net.named_parameters()}
    for parameter, wanted in zip(book.parameters, truth, strict=True):
        if float((noted.sums[parameter] - wanted).norm()) > _TOLERANCE * scale:
            raise CapabilityMissing(
                f"the gradient of {names[parameter]!r} by book-keeping is not that of autograd",
                hint="use each weight through its own layer: no second use by a function, no replaced forward",
            )
    return max(1, _HELD_BYTES // max(1, noted.held_bytes // _ROWS))


@contextmanager
def _without_dropout(net: nn.Module) -> Iterator[None]:
    """Let layers keep all: what dropout hits depends on the layout of memory, which differs between the two ways."""
    names: dict[nn.Module, str] = {part: "dropout" for part in net.modules() if isinstance(part, nn.MultiheadAttention)}
    names |= {part: "p" for part in net.modules() if isinstance(part, _DropoutNd)}
    rates = [(part, name, getattr(part, name)) for part, name in names.items()]
    for part, name, _ in rates:
        setattr(part, name, 0.0)
    try:
        yield
    finally:
        for part, name, rate in rates:
            setattr(part, name, rate)


def _made_up(like: Tensor) -> Tensor:
    shape = (_ROWS, *like.shape[1:])
    if not like.is_floating_point():
        return like.new_zeros(shape)
    draws = torch.Generator().manual_seed(0)
    return torch.rand(shape, generator=draws, dtype=like.dtype).to(like.device)


def _by_autograd(
    net: nn.Module, losses: RowLosses, inputs: Tensor, labels: Tensor, parameters: list[nn.Parameter]
) -> list[Tensor]:
    given = inputs.requires_grad_(True) if inputs.is_floating_point() else inputs
    each = losses(net(given), labels)
    if given.requires_grad:
        (seen,) = torch.autograd.grad(each[0], given, retain_graph=True, allow_unused=True)
        if seen is not None and bool(seen[1:].any()):
            raise CapabilityMissing(
                "the loss of one row depends on other rows, so no row's influence is bounded",
                hint="take out what averages or compares over the batch",
            )
    found = torch.autograd.grad(each.sum(), parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
