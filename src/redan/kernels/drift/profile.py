"""How a reference's columns are distributed, as counts in few bins: what a stream is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 8
"""Bins of a column, at the reference's quantiles, or one for each of few values; missing is one more."""

_PRECISION = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Columns of a reference.

    Attributes:
        names: (d,) of the columns.
        edges: (d, BINS - 1) inner edges in order, infinite where a column has fewer bins; each lies between two values
            of the reference, so that a value falls into the same bin at whatever precision it comes.
        counts: (d, BINS + 1) rows of the reference in each bin; the last bin is missing values.
    """

    names: tuple[str, ...]
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def n_bins(self) -> NDArray[np.int64]:
        """How many bins each column really has, with the one for missing values, (d,)."""
        return np.asarray(np.isfinite(self.edges).sum(axis=1) + 2)

    def counted(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Count rows (n, d) by column and bin, (d, BINS + 1)."""
        return _counted(rows, self.edges)


def profile(rows: NDArray[Any], names: Sequence[str]) -> Profile:
    """Take the profile of reference rows (n, d) of numbers; NaN is missing.

    Raises:
        ValueError: names and columns differ in number.
    """
    if rows.ndim != 2 or rows.shape[1] != len(names):
        msg = f"{len(names)} names for rows of shape {rows.shape}"
        raise ValueError(msg)
    edges = np.full((rows.shape[1], BINS - 1), np.inf)
    for j, column in enumerate(np.asarray(rows, np.float64).T):
        inner = _inner(column[np.isfinite(column)])
        edges[j, : len(inner)] = inner
    return Profile(names=tuple(names), edges=edges, counts=_counted(rows, edges))


def _inner(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges between bins of finite values (n,)."""
    values = np.unique(known)
    if len(values) == 1:
        # whatever else comes into a column that never varied is a change; the rest is the model's precision
        margin = max(1.0, abs(values[0])) * _PRECISION
        return np.array([values[0] - margin, values[0] + margin])
    between = values[1:] / 2 + values[:-1] / 2
    if len(values) <= BINS:
        return np.asarray(between)
    last_below = np.searchsorted(values, np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]), side="right") - 1
    return np.asarray(between[np.unique(np.minimum(last_below, len(between) - 1))])


def _counted(rows: NDArray[Any], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    d = len(edges)
    places = (rows[:, :, None] > edges).sum(axis=2)
    if rows.dtype.kind == "f":
        places = np.where(np.isnan(rows), BINS, places)
    places += np.arange(d) * (BINS + 1)
    return np.bincount(places.reshape(-1), minlength=d * (BINS + 1)).reshape(d, BINS + 1).astype(np.int64)
