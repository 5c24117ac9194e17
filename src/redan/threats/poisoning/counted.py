"""Rates and pictures of rows that the probes of this room share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.core.finding import Evidence, Quantity
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from redan.core.finding import Better

MOST_SHOWN = 20
"""Rows of a table; all of them are in the evidence."""


def rate(name: str, count: int, n: int, *, better: Better = "lower", partial: bool = False) -> Quantity:
    """Return a share of n > 0 with its Wilson interval."""
    low, high = wilson(count, n)
    return Quantity(
        name=name, value=count / n, unit="fraction", n=n, low=low, high=high, better=better, partial=partial
    )


def array(name: str, values: Any, note: str) -> Evidence:
    """Return an array as evidence."""
    return Evidence.of(name, save_npy(values), NPY, note)
