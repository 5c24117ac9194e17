"""Confusion counts by intersection of groups: everything that is a rate of a classifier follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.fairness.encoding import Encoded

_DENSE_CELLS = 1 << 20
MOST_COUNTS = 1 << 25
"""Counts that a tally holds, at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """Counts of rows by intersection of groups, true class and answered class.

    Attributes:
        columns: names of the columns whose groups intersect.
        levels: names of the groups of each column.
        cells: (m, columns) int64: which group of each column an intersection lies in; those that occur.
        counts: (m, k, k) int64 rows by true and answered class.
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    cells: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.counts.shape[1])

    def over(self, columns: Sequence[str]) -> Tally:
        """Add up to the intersections of fewer columns."""
        places = [self.columns.index(column) for column in columns]
        cells, member = np.unique(self.cells[:, places], axis=0, return_inverse=True)
        counts = np.zeros((len(cells), *self.counts.shape[1:]), np.int64)
        np.add.at(counts, member.reshape(-1), self.counts)
        return Tally(
            columns=tuple(columns), levels=tuple(self.levels[place] for place in places), cells=cells, counts=counts
        )

    def names(self) -> tuple[str, ...]:
        """Name each group, of several columns as ``sex=female, race=other``."""
        if len(self.columns) == 1:
            return tuple(self.levels[0][code] for (code,) in self.cells.tolist())
        named = [[f"{column}={level}" for level in own] for column, own in zip(self.columns, self.levels, strict=True)]
        return tuple(", ".join(named[i][code] for i, code in enumerate(cell)) for cell in self.cells.tolist())


def tally(columns: Mapping[str, Encoded], truth: NDArray[Any], answer: NDArray[Any], n_classes: int) -> Tally:
    """Count rows.

    Args:
        columns: the groups of each row, by column; at least one.
        truth: (n,) true classes, 0 … k−1.
        answer: (n,) answered classes, 0 … k−1.
        n_classes: k.

    Raises:
        ValueError: lengths differ, a class lies outside, or intersections times classes squared are more than
            `MOST_COUNTS`.
    """
    n = len(truth)
    if any(len(column.codes) != n for column in columns.values()) or len(answer) != n:
        msg = "groups, true and answered classes differ in length"
        raise ValueError(msg)
    for classes in (truth, answer):
        if n and not 0 <= int(classes.min()) <= int(classes.max()) < n_classes:
            msg = f"a class is not within 0 .. {n_classes - 1}"
            raise ValueError(msg)
    cell, cells = _joint(list(columns.values()), n)
    if len(cells) * n_classes**2 > MOST_COUNTS:
        used, cell = np.unique(cell, return_inverse=True)
        cells = cells[used]
    if len(cells) * n_classes**2 > MOST_COUNTS:
        msg = f"{len(cells)} intersections of groups and {n_classes} classes are too many to count"
        raise ValueError(msg)
    code = cell * n_classes**2
    code += (truth * n_classes + answer).astype(code.dtype)
    counts = np.bincount(code, minlength=len(cells) * n_classes**2).reshape(len(cells), n_classes, n_classes)
    occurs = counts.any(axis=(1, 2))
    return Tally(
        columns=tuple(columns),
        levels=tuple(column.levels for column in columns.values()),
        cells=cells[occurs],
        counts=counts[occurs].astype(np.int64),
    )


def _joint(columns: Sequence[Encoded], n: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the intersection (n,) of each row, and the groups (m, columns) of each intersection."""
    code: NDArray[Any] = np.zeros(n, np.int32)
    cells = np.zeros((1, 0), np.int64)
    for column in columns:
        wide = len(column.levels)
        if len(cells) * wide > _DENSE_CELLS:
            # only what occurs is kept, so that many columns cannot ask for more cells than there are rows
            used, code = np.unique(code, return_inverse=True)
            cells = cells[used]
        code = code.astype(np.int64) if len(cells) * wide > np.iinfo(np.int32).max else code.astype(np.int32)
        code *= wide
        code += column.codes
        if len(cells) * wide > _DENSE_CELLS:
            used, code = np.unique(code, return_inverse=True)
            cells = np.column_stack([cells[used // wide], used % wide])
        else:
            cells = np.column_stack([np.repeat(cells, wide, axis=0), np.tile(np.arange(wide), len(cells))])
    return code, cells


def against_rest(counts: NDArray[Any], favourable: int) -> NDArray[Any]:
    """Reduce confusion counts (…, k, k) to one class against the others: (…, 4) tn, fp, fn, tp."""
    tp = counts[..., favourable, favourable]
    fn = counts[..., favourable, :].sum(axis=-1) - tp
    fp = counts[..., :, favourable].sum(axis=-1) - tp
    return np.stack([counts.sum(axis=(-2, -1)) - tp - fn - fp, fp, fn, tp], axis=-1)
