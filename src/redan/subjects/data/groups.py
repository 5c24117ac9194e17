"""Columns that describe people: which of them a model is given, and what they say of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, UnknownName, UsageError

MISSING = "(missing)"
"""What a row says whose cell is empty: a group of its own, since nobody knows to which it belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the owner says about the columns of a table.

    Attributes:
        sensitive: columns that describe people; their values become groups.
        aside: columns that the model is not given.
    """

    sensitive: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def among(self, columns: Sequence[str], name: str) -> None:
        """Insist that the columns are there.

        Raises:
            UnknownName: one is not, with the nearest.
        """
        for wanted in (*self.sensitive, *self.aside):
            if wanted not in columns:
                raise UnknownName.among(f"column in {name}", wanted, list(columns))

    def spares(self, label: str, name: str) -> None:
        """Insist that the label is none of the columns.

        Raises:
            UsageError: it is.
        """
        if label in (*self.sensitive, *self.aside):
            raise UsageError(
                f"column {label!r} of {name!r} is the label; it cannot be sensitive or aside",
                hint="name the label column: --label",
            )


EVERYTHING = Described()
"""Nothing is said: every column but the label is an input."""


def words_of(values: Any) -> NDArray[Any]:
    """Return values (n,) as texts; whole numbers without a point, what is empty as a group of its own."""
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return np.array([_number(value) for value in array.tolist()], dtype=np.str_)
    if array.dtype == object:
        return np.array([_word(value) for value in array.tolist()], dtype=np.str_)
    texts = array.astype(np.str_)
    return np.where(np.char.strip(texts) == "", MISSING, texts) if array.dtype.kind == "U" else texts


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124  # NaN is what differs from itself
        return MISSING
    return str(int(value)) if value.is_integer() else repr(value)


def _word(value: Any) -> str:
    if value is None:
        return MISSING
    return _number(value) if isinstance(value, float) else str(value).strip() or MISSING


def check_groups(groups: Mapping[str, Any], n: int, name: str) -> dict[str, NDArray[Any]]:
    """Return groups that came from outside as texts.

    Raises:
        ShapeMismatch: one does not have a value for each of the n rows.
    """
    found = {str(column): words_of(values) for column, values in groups.items()}
    for column, values in found.items():
        if values.shape != (n,):
            raise ShapeMismatch(
                f"group column {column!r} of {name!r} has shape {values.shape}; expected one value for each of {n} rows"
            )
    return found


def parted(
    x: NDArray[Any],
    columns: tuple[str, ...],
    groups: Mapping[str, NDArray[Any]],
    described: Described,
    name: str,
) -> tuple[NDArray[Any], tuple[str, ...], dict[str, NDArray[Any]]]:
    """Take sensitive columns of numbers as groups too, and leave out what is set aside.

    Returns:
        Inputs, their columns, and the groups.

    Raises:
        UnknownName: a sensitive column is among neither the inputs nor the groups.
    """
    found = dict(groups)
    for wanted in described.sensitive:
        if wanted in found:
            continue
        if wanted not in columns:
            raise UnknownName.among(f"column in {name}", wanted, [*columns, *found])
        found[wanted] = words_of(x[:, columns.index(wanted)])
    if not set(described.aside) & set(columns):
        return x, columns, found
    kept = [i for i, column in enumerate(columns) if column not in described.aside]
    return x[:, kept], tuple(columns[i] for i in kept), found
