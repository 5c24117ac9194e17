"""Linear functions of an activation, many at once: in full, or as windows where a convolution sees only a part.

A unit of a convolution depends on a small window of what lies before it. Its coefficients are then kept for that window
alone, which for small nets saves about nine tenths of the work of the full form.

Source: Xu et al. 2020, "Automatic perturbation analysis for scalable certified robustness and beyond", section 3, for
the idea; the windows here are pulled through a convolution by one matrix product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from redan.kernels.certify.affine import Conv, Scale
from redan.kernels.certify.graph import Graph, Rectifier, Smooth, Source

if TYPE_CHECKING:
    from torch import Tensor

_WORTH_IT = 0.5
"""Share of the input that a window may cover at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Where windows lie: square, one for each place of a grid."""

    size: int
    stride: int
    padding: int
    grid: tuple[int, int]

    def before(self, conv: Conv) -> Window:
        """Windows of the input of a convolution for windows of its output."""
        stride, span = conv.stride[0], conv.dilation[0] * (conv.weight.shape[2] - 1) + 1
        return Window(
            size=(self.size - 1) * stride + span,
            stride=self.stride * stride,
            padding=self.padding * stride + conv.padding[0],
            grid=self.grid,
        )


def local(values: Tensor, window: Window | None) -> Tensor:
    """Bring the values of an activation beside coefficients of it.

    Args:
        values: (n, *shape); with windows (n, c, h, w).
        window: how the coefficients are cut.

    Returns:
        (n, 1, *shape), or (places, n, 1, c, size, size) with zeros outside of the activation.
    """
    if window is None:
        return values.unsqueeze(1)
    n, channels, height, width = values.shape
    size, rows, columns = window.size, *window.grid
    # a grid may reach further than the padding when a stride leaves a margin
    need = [window.stride * (count - 1) + size - window.padding for count in window.grid]
    padded = functional.pad(
        values,
        (window.padding, max(0, need[1] - width), window.padding, max(0, need[0] - height)),
    )
    views = padded.unfold(2, size, window.stride).unfold(3, size, window.stride)[:, :, :rows, :columns]
    return views.permute(2, 3, 0, 1, 4, 5).reshape(rows * columns, n, 1, channels, size, size)


def inner(coefficients: Tensor, values: Tensor, dims: int) -> Tensor:
    """Sum of products over the last dimensions.

    Args:
        coefficients: (..., n, r, *shape).
        values: (..., n, 1, *shape).
        dims: length of the shape.

    Returns:
        (..., n, r).
    """
    if dims == 0:
        return coefficients * values
    summed: Tensor = torch.einsum("...rk,...k->...r", coefficients.flatten(-dims), values.flatten(-dims).squeeze(-2))
    return summed


def window_of(graph: Graph, start: int) -> Window | None:
    """Return the windows in which the units of a node are best written, or None when the full form is."""
    node = graph.nodes[start]
    if len(node.shape) != 3:
        return None
    start_window = window = Window(size=1, stride=1, padding=0, grid=(node.shape[1], node.shape[2]))
    while not isinstance(node.operation, Source):
        if isinstance(node.operation, Conv):
            if not _square(node.operation):
                return None
            window = window.before(node.operation)
        elif not isinstance(node.operation, (Scale, Rectifier, Smooth)):
            return None
        node = graph.nodes[node.parents[0]]
    whole = node.shape[1] * node.shape[2] if len(node.shape) == 3 else 0
    return start_window if window.size**2 <= _WORTH_IT * whole else None


def widest(graph: Graph, start: int, window: Window | None) -> int:
    """Most coefficients that one function of a node has anywhere on its way to the input.

    Args:
        graph: the network.
        start: the node.
        window: how its functions are cut; then all places of the grid are counted.
    """
    if window is None:
        return max(math.prod(node.shape) for node in graph.nodes[: start + 1])
    node, most = graph.nodes[start], 1
    while node.parents:
        most = max(most, node.shape[0] * window.size**2)
        window = window.before(node.operation) if isinstance(node.operation, Conv) else window
        node = graph.nodes[node.parents[0]]
    return math.prod(window.grid) * max(most, node.shape[0] * window.size**2)


def _square(conv: Conv) -> bool:
    settings = (conv.stride, conv.padding, conv.dilation, tuple(conv.weight.shape[2:]))
    return conv.weight.ndim == 4 and all(first == second for first, second in settings)


def pull_window(conv: Conv, coefficients: Tensor, window: Window) -> Tensor:
    """Coefficients of windows of the output as coefficients of windows of the input.

    Args:
        conv: a square convolution.
        coefficients: (places, n, r, out, size, size); places and n may be 1 where all have the same.
        window: of the output.
    """
    size = window.size
    channels = len(conv.weight)
    basis = torch.eye(channels * size * size, dtype=conv.weight.dtype).reshape(-1, channels, size, size)
    matrix = functional.conv_transpose2d(
        basis, conv.weight, None, conv.stride, 0, 0, conv.groups, conv.dilation
    )  # (out · size², in, wider, wider)
    pulled = coefficients.flatten(3) @ matrix.flatten(1)
    return pulled.reshape(*coefficients.shape[:3], *matrix.shape[1:])
