"""A feed-forward network as a list of operations, in an order in which each comes after what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch.nn import functional

from redan.kernels.certify.affine import Affine

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Signed sum of two activations of one shape."""

    signs: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """Activations one after the other."""

    dim: int
    """Dimension of the batch tensor, never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Activations of one shape along a new dimension."""

    dim: int
    """Dimension of the batch tensor, never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectifier:
    """x where x > 0, else slope · x: ReLU and leaky ReLU."""

    slope: float = 0.0
    """In [0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """A smooth function of each number."""

    name: Literal["sigmoid", "tanh", "gelu", "silu", "softplus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool:
    """Largest number of each window."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return values (n, c, h, w) and the place of each in its flattened channel."""
        values, places = functional.max_pool2d(
            x, self.kernel, self.stride, self.padding, self.dilation, return_indices=True
        )
        return values, places


Nonlinear: TypeAlias = Rectifier | Smooth | MaxPool
Operation: TypeAlias = Source | Affine | Sum | Concat | Stack | Nonlinear


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operation and what it reads."""

    operation: Operation
    parents: tuple[int, ...]
    """Places of its inputs in the graph, all before its own."""
    shape: tuple[int, ...]
    """Of one sample of its output."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """A network; the first node is the input, the last the class scores (n, k)."""

    nodes: tuple[Node, ...]

    @property
    def n_classes(self) -> int:
        """Number of class scores."""
        return self.nodes[-1].shape[0]

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (n, k) of inputs (n, …): what the bounds are bounds of."""
        values: list[Tensor] = []
        for node in self.nodes:
            values.append(evaluate(node, [values[place] for place in node.parents]) if node.parents else x)
        return values[-1]


def smooth(name: str, x: Tensor) -> Tensor:
    """Value of a smooth activation."""
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "softplus": functional.softplus,
    }
    return functions[name](x)


def evaluate(node: Node, given: list[Tensor]) -> Tensor:
    """Output of one node."""
    match node.operation:
        case Rectifier(slope=slope):
            return functional.leaky_relu(given[0], slope)
        case Smooth(name=name):
            return smooth(name, given[0])
        case MaxPool() as pool:
            return pool.pool(given[0])[0]
        case Sum(signs=signs):
            return signs[0] * given[0] + signs[1] * given[1]
        case Concat(dim=dim):
            return torch.cat(given, dim)
        case Stack(dim=dim):
            return torch.stack(given, dim)
        case Source():
            return given[0]
        case affine:
            return affine.forward(given[0])
