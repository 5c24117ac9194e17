"""Rules that the rows of a table suggest; its owner decides which of them hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.constraints import Rules

_FEWEST_ROWS = 20
"""Fewer rows suggest nothing: whole numbers among them may be chance."""
_STEM = re.compile(r"^(.+?)[_=:./ -][^_=:./ -]*$")


def suggest(x: NDArray[Any], columns: Sequence[str]) -> Rules:
    """Return whole-number columns and one-hot groups that hold in every row of x (n, d).

    Columns of zeros and ones whose names share a stem (``city_a``, ``city_b``) and of which each row has exactly one
    are a group; whole numbers outside of groups are whole-number columns. Missing cells (NaN) suggest nothing.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 2 or len(values) < _FEWEST_ROWS:
        return Rules()
    whole = np.isfinite(values).all(axis=0) & (values == np.round(values)).all(axis=0)
    groups = tuple(group for group in _alike(columns, whole) if _one_hot(values[:, list(group)]))
    grouped = {place for group in groups for place in group}
    return Rules(
        integer=tuple(name for place, name in enumerate(columns) if whole[place] and place not in grouped),
        one_hot=tuple(tuple(columns[place] for place in group) for group in groups),
    )


def _alike(columns: Sequence[str], whole: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Places of whole-number columns by the stem of their names, where two or more share one."""
    stems: dict[str, list[int]] = {}
    for place, name in enumerate(columns):
        match = _STEM.match(name)
        if whole[place] and match:
            stems.setdefault(match[1], []).append(place)
    return [tuple(places) for places in stems.values() if len(places) > 1]


def _one_hot(group: NDArray[np.float64]) -> bool:
    return bool(((group == 0) | (group == 1)).all() and (group.sum(axis=1) == 1).all())
