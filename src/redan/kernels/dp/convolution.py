"""Gradients of a convolution's kernel by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch.nn import functional

from redan.kernels.dp.shares import WORTH, Direct

if TYPE_CHECKING:
    from torch import Tensor, nn


class Convolved:
    """Gradients of the kernel of a convolution in one or two dimensions, any stride, padding, dilation and groups.

    A row's gradient is the product of its output gradients with the patches under the kernel (Goodfellow 2015,
    "Efficient per-example gradient computations"; Rochette, Manoel & Tramel 2019 for convolutions).

    Args:
        layer: the convolution.
        inputs: what came in, (n, channels, *places).
        gradients: of what went out, (n, kernels, *places).
    """

    __slots__ = ("_gradients", "_held", "_inputs", "_layer", "_padding")

    def __init__(self, layer: nn.Conv1d | nn.Conv2d, inputs: Tensor, gradients: Tensor) -> None:
        self._layer = layer
        self._inputs, self._padding = _padded(layer, inputs)
        self._gradients = gradients
        self._held: Direct | None = None

    def squared_norms(self) -> Tensor:
        """Squared norm of each row's kernel."""
        patches, outputs = self._matrices()
        places, width, height = patches.shape[3], patches.shape[2], outputs.shape[2]
        if places * places * (width + height) > WORTH * width * height:
            self._held = Direct(self._product(patches, outputs))
            return self._held.squared_norms()
        flat, grads = patches.flatten(0, 1), outputs.flatten(0, 1)
        products = torch.bmm(flat.transpose(1, 2), flat).mul_(torch.bmm(grads.transpose(1, 2), grads))
        return products.sum((1, 2)).view(len(self._inputs), -1).sum(1).clamp_min(0)

    def rows(self) -> Tensor:
        """Each row's kernel, shape (n, kernels, channels / groups, *kernel)."""
        return self._product(*self._matrices())

    def weighted(self, factors: Tensor) -> Tensor:
        """One gradient of the whole batch, its output gradients scaled."""
        if self._held is not None:
            return self._held.weighted(factors)
        layer = self._layer
        scaled = self._gradients * factors.view(-1, *(1,) * (self._gradients.ndim - 1))
        results = torch.ops.aten.convolution_backward(
            scaled,
            self._inputs,
            layer.weight.detach(),
            None,
            layer.stride,
            self._padding,
            layer.dilation,
            False,
            [0] * len(self._padding),
            layer.groups,
            [False, True, False],
        )
        return cast("Tensor", results[1])

    def _matrices(self) -> tuple[Tensor, Tensor]:
        """Return patches (n, groups, channels / groups × kernel, places) and gradients (n, groups, kernels, places)."""
        layer, groups = self._layer, self._layer.groups
        inputs = self._inputs if self._inputs.ndim == 4 else self._inputs.unsqueeze(2)
        patches = functional.unfold(
            inputs,
            kernel_size=_plane(layer.kernel_size, 1),
            dilation=_plane(layer.dilation, 1),
            padding=_plane(self._padding, 0),
            stride=_plane(layer.stride, 1),
        )
        n, width, places = patches.shape
        outputs = self._gradients.reshape(n, groups, -1, places)
        return patches.view(n, groups, width // groups, places), outputs

    def _product(self, patches: Tensor, outputs: Tensor) -> Tensor:
        kernels = torch.bmm(outputs.flatten(0, 1), patches.flatten(0, 1).transpose(1, 2))
        return kernels.view(len(self._inputs), *self._layer.weight.shape)


def _plane(sizes: tuple[int, ...], filler: int) -> tuple[int, int]:
    """Write sizes of one dimension as those of a plane that is one high."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (filler, sizes[0])


def _padded(layer: nn.Conv1d | nn.Conv2d, inputs: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Do what padding a convolution cannot do by itself; return the inputs and the padding that is left to it."""
    if not isinstance(layer.padding, str) and layer.padding_mode == "zeros":
        return inputs, layer.padding
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    # torch keeps the amounts for both sides under this name for exactly this use
    amounts = layer._reversed_padding_repeated_twice
    return functional.pad(inputs, amounts, mode=mode), (0,) * len(layer.kernel_size)
