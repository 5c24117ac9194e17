"""What each row of a batch adds to the gradient of a parameter, kept in the form in which it costs least.

A share answers three questions: how long each row's gradient is, what it is, and what a weighted sum over rows is. The
last is all that training needs once the lengths are known (Bu, Wang, Zha & Karypis 2023, "Differentially private
optimization on large model at small cost", section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

WORTH = 16
"""Multiplications in a matrix product that take as long as writing a number to memory and reading it twice."""


class Share(Protocol):
    """The gradients of one parameter by row, n rows."""

    def squared_norms(self) -> Tensor:
        """Squared Euclidean length of each row's gradient, shape (n,)."""
        ...

    def rows(self) -> Tensor:
        """Each row's gradient, shape (n, *parameter)."""
        ...

    def weighted(self, factors: Tensor) -> Tensor:
        """Sum of the rows' gradients times factors of shape (n,); shape of the parameter."""
        ...


class Direct:
    """Gradients that are small enough to be held as they are.

    Args:
        gradients: shape (n, *parameter).
    """

    __slots__ = ("_gradients",)

    def __init__(self, gradients: Tensor) -> None:
        self._gradients = gradients

    def squared_norms(self) -> Tensor:
        """Sum of squares of each row."""
        return _squares(self._gradients)

    def rows(self) -> Tensor:
        """Return what is held."""
        return self._gradients

    def weighted(self, factors: Tensor) -> Tensor:
        """Multiply the factors into the matrix of rows."""
        return (factors @ self._gradients.flatten(1)).view(self._gradients.shape[1:])


class Tokens:
    """Inputs of a matrix; several matrices with the same inputs share their products.

    Args:
        values: shape (n, t, d): n rows of t vectors.
    """

    __slots__ = ("_gram", "values")

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._gram: Tensor | None = None

    @property
    def gram(self) -> Tensor:
        """Products of a row's vectors with each other, shape (n, t, t)."""
        if self._gram is None:
            self._gram = torch.bmm(self.values, self.values.transpose(1, 2))
        return self._gram


class Outer:
    """Gradients of a matrix: for each row a sum of t outer products.

    The length comes from the vectors' lengths where t is 1, else from two small matrices of products or from the
    gradients themselves, whichever costs less.

    Args:
        tokens: what came in, (n, t, d).
        gradients: of what went out, (n, t, p).
    """

    __slots__ = ("_gradients", "_held", "_tokens")

    def __init__(self, tokens: Tokens, gradients: Tensor) -> None:
        self._tokens = tokens
        self._gradients = gradients
        self._held: Direct | None = None

    def squared_norms(self) -> Tensor:
        """Squared Frobenius norm of each row's matrix."""
        inputs, outputs = self._tokens.values, self._gradients
        vectors, width, height = inputs.shape[1], inputs.shape[2], outputs.shape[2]
        if vectors == 1:
            return _squares(inputs) * _squares(outputs)
        if vectors * vectors * (width + height) <= WORTH * width * height:
            products = torch.bmm(outputs, outputs.transpose(1, 2))
            # rounding may turn the length of a gradient that is nearly zero negative
            return (self._tokens.gram * products).sum((1, 2)).clamp_min(0)
        self._held = Direct(self.rows())
        return self._held.squared_norms()

    def rows(self) -> Tensor:
        """Each row's matrix, shape (n, p, d)."""
        return torch.bmm(self._gradients.transpose(1, 2), self._tokens.values)

    def weighted(self, factors: Tensor) -> Tensor:
        """One product of two matrices over all vectors of all rows."""
        if self._held is not None:
            return self._held.weighted(factors)
        scaled = self._gradients * factors[:, None, None]
        return scaled.flatten(0, 1).t() @ self._tokens.values.flatten(0, 1)

    def joined(self, other: Outer) -> Outer:
        """Return the gradients of a matrix that was used twice: the vectors of both uses."""
        tokens = Tokens(torch.cat((self._tokens.values, other._tokens.values), dim=1))
        return Outer(tokens, torch.cat((self._gradients, other._gradients), dim=1))


class Lookup:
    """Gradients of a table of which each row of the batch looked up t lines.

    Args:
        lines: which lines, int64, shape (n, t).
        gradients: of what was found there, shape (n, t, d).
        size: lines of the table.
    """

    __slots__ = ("_gradients", "_lines", "_size")

    def __init__(self, lines: Tensor, gradients: Tensor, size: int) -> None:
        self._lines = lines
        self._gradients = gradients
        self._size = size

    def squared_norms(self) -> Tensor:
        """Add up what each line received within a row, then the squares."""
        n, width = len(self._lines), self._gradients.shape[2]
        places = (torch.arange(n, device=self._lines.device)[:, None] * self._size + self._lines).flatten()
        found, place = torch.unique(places, return_inverse=True)
        sums = self._gradients.new_zeros(len(found), width).index_add_(0, place, self._gradients.reshape(-1, width))
        return self._gradients.new_zeros(n).index_add_(0, found // self._size, (sums * sums).sum(1))

    def rows(self) -> Tensor:
        """Each row's table, shape (n, size, d); large."""
        n, _, width = self._gradients.shape
        tables = self._gradients.new_zeros(n, self._size, width)
        return tables.scatter_add_(1, self._lines[:, :, None].expand(-1, -1, width), self._gradients)

    def weighted(self, factors: Tensor) -> Tensor:
        """Add the scaled gradients to their lines."""
        width = self._gradients.shape[2]
        scaled = (self._gradients * factors[:, None, None]).reshape(-1, width)
        return scaled.new_zeros(self._size, width).index_add_(0, self._lines.flatten(), scaled)


def summed(shares: list[Share]) -> Share:
    """Return the share of a parameter that was used several times: lengths of sums are not sums of lengths."""
    first, *others = shares
    for other in others:
        first = first.joined(other) if isinstance(first, Outer) and isinstance(other, Outer) else _added(first, other)
    return first


def _squares(rows: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(rows.flatten(1), dim=1)
    return lengths.square_()


def _added(first: Share, second: Share) -> Share:
    return Direct(first.rows() + second.rows())
