"""Whose groups are compared: the sensitive columns of the data, as the owner named them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import UsageError
from redan.kernels.fairness.encoding import banded, encode

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.kernels.fairness.encoding import Encoded

MOST_COLUMNS = 8
MOST_VALUES = 12
"""A column of numbers with more different values is cut into `BANDS`."""
BANDS = 4


def sensitive_columns(inputs: Inputs) -> tuple[str, ...]:
    """Return the names of the sensitive columns.

    Raises:
        UsageError: none was named, or too many.
    """
    named = tuple(inputs.sensitive or ())
    if not named:
        raise UsageError(
            "this needs sensitive columns and none was named",
            hint="name them: --sensitive COLUMN, or [data] sensitive in redan.toml",
        )
    if len(named) > MOST_COLUMNS:
        raise UsageError(f"{len(named)} sensitive columns are named; expected at most {MOST_COLUMNS}")
    return named


def groups_of(data: Dataset, inputs: Inputs) -> dict[str, Encoded]:
    """Return the groups of each row by sensitive column, in the owner's order; numbers of many values in bands.

    Raises:
        UsageError: no sensitive column was named, or the data have no groups of one.
    """
    found = {}
    for name in sensitive_columns(inputs):
        if name not in data.groups:
            raise UsageError(
                f"{data.name!r} has no groups of the sensitive column {name!r}; it has those of "
                f"{', '.join(data.groups) or 'none'}",
                hint="give arrays as (x, y, {column: values})",
            )
        found[name] = banded(encode(data.groups[name]), most=MOST_VALUES, bands=BANDS)
    return found
