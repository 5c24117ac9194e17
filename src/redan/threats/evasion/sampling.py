"""Which rows a probe without a radius measures, and its rates with intervals that respect the rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Better, Quantity
from redan.kernels.pictures import is_image

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.kernels.clustered import Estimate

MOST_VALUES = 4_000_000
"""Most numbers in all chosen inputs together, so that large images are measured on fewer rows."""


def chosen(data: Dataset, most: int) -> Dataset:
    """Return the rows with the smallest indices, at most so many; the same rows in whatever order they come.

    Raises:
        ShapeMismatch: there are no rows, or values that are no finite numbers.
    """
    if not len(data):
        raise ShapeMismatch(f"{data.name!r} has no rows", hint="choose another offset or limit")
    values = max(1, math.prod(np.shape(data.x)[1:]))
    order = np.argsort(data.indices, kind="stable")[: max(1, min(most, MOST_VALUES // values))]
    x: Any = np.asarray(data.x)[order]
    if x.dtype.kind not in "biuf":
        raise ShapeMismatch(f"{data.name!r} holds values of type {x.dtype}; expected numbers")
    if not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return replace(data, x=x, y=np.asarray(data.y)[order], indices=np.asarray(data.indices)[order])


def images(data: Dataset) -> None:
    """Insist on inputs that are images.

    Raises:
        Skipped: they are not.
    """
    if not is_image(data.x.shape[1:]):
        raise Skipped(
            f"an input of {data.name!r} has shape {tuple(data.x.shape[1:])}; expected an image (1 or 3, h, w) or (h, w)"
        )


def spent(budget: Budget, queries: int) -> str | None:
    """Return why so many further queries may not be asked, or None."""
    left = budget.left_queries()
    if left is not None and left < queries:
        return f"{left} queries are left of the budget, too few for {queries} inputs"
    return budget.stop()


def estimated(name: str, found: Estimate, *, better: Better, partial: bool = False) -> Quantity:
    """Return an estimate over inputs as a quantity."""
    return Quantity(
        name=name,
        value=found.value,
        unit="fraction",
        n=found.n,
        low=found.low,
        high=found.high,
        better=better,
        partial=partial,
    )


def numbered(data: Dataset, n_classes: int) -> None:
    """Insist on classes that the model has.

    Raises:
        ShapeMismatch: a class lies below 0 or beyond the last.
    """
    low, high = int(np.min(data.y)), int(np.max(data.y))
    if low < 0 or high >= n_classes:
        raise ShapeMismatch(
            f"{data.name!r} has classes {low} to {high}; the model has 0 to {n_classes - 1}",
            hint="check that data and model number the classes alike",
        )
