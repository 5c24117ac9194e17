"""How far the sensitive values of a class lie from those of the whole table.

Source: Li, Li and Venkatasubramanian (2007), t-closeness, sections 4.2 (ordered distance) and 4.3 (equal distance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

MOST_CELLS = 4_000_000
"""Cells of the table of classes and values that is held at once."""


def closeness(found: Codes, sensitive: Codes, *, ordered: bool) -> float:
    """Return t, the greatest earth mover's distance of a class to the whole, between 0 and 1.

    Args:
        found: class of each row, shape (n,), counted from 0.
        sensitive: code of the sensitive value of each row, shape (n,); in the order of the values if `ordered`.
        ordered: values are numbers, whose distance is how many values lie between them; all are equally far otherwise.
    """
    width = int(sensitive.max(initial=0)) + 1
    if width < 2:
        return 0.0
    whole = np.bincount(sensitive, minlength=width) / len(sensitive)
    order = np.argsort(found, kind="stable")
    ends = np.cumsum(np.bincount(found))
    chunk = max(1, MOST_CELLS // width)
    worst = 0.0
    for first in range(0, len(ends), chunk):
        last = min(first + chunk, len(ends))
        rows = order[(ends[first - 1] if first else 0) : ends[last - 1]]
        counts = np.bincount((found[rows] - first) * width + sensitive[rows], minlength=(last - first) * width)
        shares = counts.reshape(last - first, width).astype(float)
        gaps = shares / shares.sum(axis=1, keepdims=True) - whole
        moved = np.abs(gaps.cumsum(axis=1)).sum(axis=1) / (width - 1) if ordered else np.abs(gaps).sum(axis=1) / 2
        worst = max(worst, float(moved.max()))
    return worst
