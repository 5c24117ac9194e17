"""What can be said of a table without its rows: columns, types, ranges, missing cells, few categories."""

from __future__ import annotations

from math import isfinite
from typing import Any

from redan.evidence.datasets.table import Column, Table

MOST_CATEGORIES = 32
"""A text or integer column with more distinct values is described without them."""


def profile(table: Table) -> dict[str, Any]:
    """Describe a table as JSON values: ``rows``, ``columns`` and, where there are some, ``arrays``."""
    described: dict[str, Any] = {"rows": table.n_rows, "columns": [_column(c) for c in table.columns]}
    if table.arrays:
        described["arrays"] = [{"name": a.name, "dtype": a.dtype, "shape": list(a.shape)} for a in table.arrays]
    return described


def categories(column: Column, most: int = MOST_CATEGORIES) -> tuple[str, ...] | tuple[int, ...] | None:
    """Return the distinct values of a text or integer column in order, or None when there are more than that."""
    import numpy as np

    if column.kind not in ("text", "integer"):
        return None
    present = column.values[~column.missing]
    if column.kind == "text":
        words: set[str] = set()
        for word in present:
            words.add(str(word))
            if len(words) > most:
                return None
        return tuple(sorted(words))
    found = np.unique(present)
    return tuple(int(v) for v in found) if len(found) <= most and np.isfinite(found).all() else None


def span(column: Column) -> tuple[float, float] | None:
    """Return the lowest and the highest finite value of a column of numbers, or None."""
    import numpy as np

    if column.kind == "text":
        return None
    finite = column.values[np.isfinite(column.values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind,
        "dtype": column.dtype,
        "missing": int(column.missing.sum()),
    }
    if (ends := span(column)) is not None:
        described["low"], described["high"] = (_number(v, column) for v in ends)
    if (values := categories(column)) is not None:
        described["categories"] = list(values)
    return described


def _number(value: float, column: Column) -> float | int:
    return int(value) if column.kind in ("integer", "boolean") and isfinite(value) else value
