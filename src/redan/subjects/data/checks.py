"""What every data set must satisfy before anything is measured on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, Unreadable, UsageError
from redan.subjects.data.texts import check_texts
from redan.subjects.texts import is_text


def window(n: int, *, limit: int | None, offset: int, name: str) -> tuple[int, int]:
    """Return the first and the last row (exclusive) of what was asked for; ``limit`` means at most so many.

    Raises:
        UsageError: the window is empty.
    """
    if n == 0:
        raise ShapeMismatch(f"{name!r} is empty", hint="give data with at least one row")
    if offset < 0 or (limit is not None and limit < 1):
        raise UsageError(
            f"offset {offset} and limit {limit} choose no rows", hint="limit is at least 1, offset at least 0"
        )
    if offset >= n:
        raise UsageError(f"offset {offset} is beyond the end of {name!r}, which has {n} rows")
    return offset, n if limit is None else min(n, offset + limit)


def check_inputs(x: NDArray[Any], name: str, columns: tuple[str, ...] = ()) -> NDArray[Any]:
    """Insist on finite numbers, or on one text a row.

    Returns:
        The inputs.

    Raises:
        ShapeMismatch: not one number array of at least two axes with rows of the same shape.
        Unreadable: NaN or infinity, with their count and first position.
    """
    if is_text(x):
        return check_texts(x, name)
    if x.dtype == object or not (np.issubdtype(x.dtype, np.number) or x.dtype == np.bool_):
        raise ShapeMismatch(
            f"the inputs of {name!r} are of type {x.dtype}; expected numbers",
            hint="encode text and categories as numbers, as the model was trained on them",
        )
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise ShapeMismatch(
            f"the inputs of {name!r} have shape {x.shape}; expected (rows, features) or (rows, channels, h, w)",
            hint="reshape a single feature to (rows, 1)",
        )
    if np.issubdtype(x.dtype, np.inexact) and not np.isfinite(x).all():
        _refuse_broken(x, name, columns)
    return x


def _refuse_broken(x: NDArray[Any], name: str, columns: tuple[str, ...]) -> None:
    broken = ~np.isfinite(x)
    first = tuple(int(i) for i in np.argwhere(broken)[0])
    where = f"row {first[0]}, column {columns[first[1]]!r}" if columns and x.ndim == 2 else f"position {first}"
    raise Unreadable(
        f"{name!r} holds {int(broken.sum())} values that are NaN or infinite, the first ({x[first]}) at {where}",
        hint="remove or impute those rows; a measurement on them would mean nothing",
    )


def check_lengths(n_inputs: int, n_labels: int, name: str) -> None:
    """Insist on one label for each input.

    Raises:
        ShapeMismatch: the counts differ.
    """
    if n_inputs != n_labels:
        raise ShapeMismatch(f"{name!r} has {n_inputs} inputs and {n_labels} labels; expected one label for each input")
