"""Sensitive columns that the model is given: where they stand, and which group a row belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, UsageError
from redan.subjects.data.groups import words_of
from redan.threats.bias.people import MOST_VALUES, sensitive_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset, Inputs


def taken_columns(data: Dataset, inputs: Inputs) -> dict[str, int]:
    """Return the sensitive columns among the model's inputs with their places, in the owner's order.

    Raises:
        UsageError: none is.
        ShapeMismatch: the data are no table.
    """
    named = sensitive_columns(inputs)
    if data.x.ndim != 2:
        raise ShapeMismatch(f"inputs of {data.name!r} are {data.x.shape}; expected a table (rows, columns)")
    found = {name: data.columns.index(name) for name in named if name in data.columns}
    if not found:
        raise UsageError(
            f"the model is given none of the sensitive columns {', '.join(named)}",
            hint="this needs one of them as a column of numbers among the inputs",
        )
    return found


def few_values(x: NDArray[Any], places: dict[str, int]) -> None:
    """Insist on columns of few values, each of which is a group.

    Raises:
        UsageError: a column has too many.
    """
    for name, place in places.items():
        n = len(np.unique(x[:, place]))
        if n > MOST_VALUES:
            raise UsageError(f"column {name!r} has {n} values; expected at most {MOST_VALUES} groups to decide by")


def groups_in(x: NDArray[Any], places: dict[str, int]) -> NDArray[Any]:
    """Return the group (n,) of each row (n, d) as text: its values in these columns together."""
    columns = [words_of(np.asarray(x[:, place], np.float64)).tolist() for place in places.values()]
    return np.array([" and ".join(values) for values in zip(*columns, strict=True)], np.str_)
