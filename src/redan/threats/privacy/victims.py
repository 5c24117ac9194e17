"""Whose rows an attack is tried on: the same ones in whatever order they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from redan.core.inputs import Dataset


def victims(data: Dataset, most: int, *, least: int = 1) -> Dataset:
    """Return the rows with the smallest indices, at most so many.

    Raises:
        ShapeMismatch: fewer rows than are needed, or values that are no finite numbers.
    """
    if len(data) < least:
        raise ShapeMismatch(
            f"{data.name!r} has {len(data)} rows; expected at least {least}", hint="use more rows: --limit"
        )
    kept = data.rows(np.argsort(data.indices, kind="stable")[:most])
    if kept.x.dtype.kind not in "biuf":
        raise ShapeMismatch(f"{data.name!r} holds values of type {kept.x.dtype}; expected numbers")
    if not np.isfinite(kept.x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return kept
