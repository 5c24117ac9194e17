"""Affine operations of a network: forward, the spread of a box, and the pull of linear coefficients back to the input.

Shapes: activations (n, *shape); coefficients of r linear functions of an activation (b, *shape), b = r · n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


_FEW = 4
"""Input channels up to which a product and a fold beat the library's transposed convolution, four times for one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """x Wᵀ + b on the last dimension."""

    weight: Tensor
    """(out, in)."""
    bias: Tensor
    """(out,)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, …, in)."""
        return functional.linear(x, self.weight, self.bias)

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return functional.linear(radius, self.weight.abs())

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Coefficients of the output (b, …, out) as coefficients of the input (b, …, in)."""
        return coefficients @ self.weight

    @property
    def offset(self) -> Tensor:
        """What is added, broadcast over the output."""
        return self.bias


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv:
    """Convolution over one or two dimensions."""

    weight: Tensor
    """(out, in / groups, k) or (out, in / groups, k, k)."""
    bias: Tensor
    """(out,)."""
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, in, …)."""
        return self._convolve(x, self.weight, self.bias)

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return self._convolve(radius, self.weight.abs(), None)

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Transposed convolution to exactly the input's shape."""
        if self.weight.ndim == 4 and self.groups == 1 and self.weight.shape[1] <= _FEW:
            columns = self.weight.flatten(1).T @ coefficients.flatten(2)
            return functional.fold(
                columns, shape[1:], self.weight.shape[2:], self.dilation, self.padding, self.stride
            )  # fmt: skip
        sizes = zip(
            shape[1:], coefficients.shape[2:], self.stride, self.padding, self.dilation, self.weight.shape[2:],
            strict=True,
        )  # fmt: skip
        rest = [size - ((out - 1) * s - 2 * p + d * (k - 1) + 1) for size, out, s, p, d, k in sizes]
        transpose = functional.conv_transpose1d if self.weight.ndim == 3 else functional.conv_transpose2d
        # the rest may exceed what output_padding accepts when the stride leaves a margin; it touched nothing, so zero
        pulled: Tensor = transpose(
            coefficients, self.weight, None, self.stride, self.padding, 0, self.groups, self.dilation
        )
        return functional.pad(pulled, [place for more in reversed(rest) for place in (0, more)])

    @property
    def offset(self) -> Tensor:
        """What is added, broadcast over the output."""
        return self.bias.reshape(-1, *([1] * (self.weight.ndim - 2)))

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        convolve = functional.conv1d if weight.ndim == 3 else functional.conv2d
        done: Tensor = convolve(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return done


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """x · factor + shift, elementwise: batch normalisation in evaluation mode, normalisation, constants."""

    factor: Tensor
    """Broadcasts over the shape of one sample."""
    shift: Tensor
    """Broadcasts over the shape of one sample."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, …)."""
        return x * self.factor + self.shift

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return radius * self.factor.abs()

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Coefficients of the output as coefficients of the input."""
        return coefficients * self.factor

    @property
    def offset(self) -> Tensor:
        """What is added, broadcast over the output."""
        return self.shift


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mean:
    """Mean over some dimensions of a sample."""

    dims: tuple[int, ...]
    """Dimensions of the batch tensor, never 0."""
    keep: bool
    """Whether they stay with length 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, …)."""
        return x.mean(self.dims, keepdim=self.keep)

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return self.forward(radius)

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Coefficients of the output as coefficients of the input."""
        count = 1
        for dim in sorted(self.dims):
            count *= shape[dim - 1]
            coefficients = coefficients if self.keep else coefficients.unsqueeze(dim)
        return (coefficients / count).expand(len(coefficients), *shape)

    @property
    def offset(self) -> None:
        """Nothing is added."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """The same numbers in another shape."""

    shape: tuple[int, ...]
    """Of one sample, after."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, …)."""
        return x.reshape(len(x), *self.shape)

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return self.forward(radius)

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Coefficients of the output as coefficients of the input."""
        return coefficients.reshape(len(coefficients), *shape)

    @property
    def offset(self) -> None:
        """Nothing is added."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pick:
    """Chosen numbers in a chosen order: permutations, slices, repeats."""

    index: Tensor
    """Place in the flattened input for each output, the shape of one output sample."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (n, …)."""
        return x.flatten(1)[:, self.index.flatten()].reshape(len(x), *self.index.shape)

    def spread(self, radius: Tensor) -> Tensor:
        """Radius of the output box for the radius of an input box."""
        return self.forward(radius)

    def pull(self, coefficients: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Coefficients of the output as coefficients of the input."""
        flat = coefficients.new_zeros(len(coefficients), torch.Size(shape).numel())
        return flat.index_add(1, self.index.flatten(), coefficients.flatten(1)).reshape(len(coefficients), *shape)

    @property
    def offset(self) -> None:
        """Nothing is added."""


Affine: TypeAlias = Dense | Conv | Scale | Mean | View | Pick
"""An affine operation with one input."""
