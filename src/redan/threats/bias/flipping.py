"""The same people with another value of a sensitive column, all else as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.subjects.data.groups import words_of
from redan.threats.bias.people import MOST_VALUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset


def places_of(data: Dataset, column: str) -> list[int]:
    """Return where a sensitive column stands among the inputs: one place, several of 0 and 1, or none.

    Several are columns named ``sex=male`` or ``sex_male`` of which each row has exactly one set.
    """
    if data.x.ndim != 2:
        return []
    if column in data.columns:
        return [data.columns.index(column)]
    flags = [i for i, name in enumerate(data.columns) if name.startswith((f"{column}=", f"{column}_"))]
    block = np.asarray(data.x[:, flags])
    whole = len(flags) > 1 and bool(np.isin(block, (0, 1)).all()) and bool((block.sum(axis=1) == 1).all())
    return flags if whole else []


def versions_of(data: Dataset, column: str) -> dict[str, NDArray[Any]]:
    """Return the inputs with everybody given each value of the column in turn; empty if it cannot be flipped."""
    places = places_of(data, column)
    if not places:
        return {}
    if len(places) > 1:
        named = {
            data.columns[place][len(column) + 1 :]: row for place, row in zip(places, np.eye(len(places)), strict=True)
        }
        return {name: _with(data.x, places, row) for name, row in named.items()}
    values = np.unique(data.x[:, places[0]])
    if not 2 <= len(values) <= MOST_VALUES:
        return {}
    return {str(words_of(np.array([float(v)]))[0]): _with(data.x, places, v) for v in values}


def _with(x: NDArray[Any], places: list[int], value: Any) -> NDArray[Any]:
    other = np.array(x)
    other[:, places] = value
    return other
