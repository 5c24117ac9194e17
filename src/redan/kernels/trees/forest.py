"""Any ensemble of axis-aligned trees as one list of leaves, each a box with what it adds to every class's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import Skipped

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_LEAVES = 400_000
"""Leaves of one ensemble that are read; more would fill the memory."""
MOST_CELLS = 12_000_000
"""Leaves times the most columns that one of them asks about."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """One tree as its library stores it, with splits ``x <= threshold`` on the numbers that the library compares.

    Attributes:
        left: (m,) node for rows that satisfy the split; −1 at a leaf.
        right: (m,) node for the others.
        feature: (m,) column of the split.
        threshold: (m,) largest number of the grid that goes left.
        value: (m, classes) what a leaf adds to the scores.
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Leaves of all trees, tree after tree; a row's score is `base` plus the values of the leaves that hold it.

    A leaf holds the rows with ``low <= x[feature] <= high`` in each of its entries, ends included, on the numbers that
    the library compares. Entries are padded with the column d, which is no column and holds every value.

    Attributes:
        d: columns.
        grid: type whose numbers the library compares, float32 or float64.
        whole: (d,) columns in which only whole numbers count.
        tree: (leaves,) tree of each leaf.
        feature: (leaves, k) column of each entry.
        low: (leaves, k) smallest value.
        high: (leaves, k) largest value.
        value: (leaves, classes) what it adds.
        base: (classes,) scores before the first tree.
        slack: scores that differ by less may be ordered either way by the library's own rounding.
    """

    d: int
    grid: np.dtype[Any]
    whole: Mask
    tree: Ints
    feature: Ints
    low: Floats
    high: Floats
    value: Floats
    base: Floats
    slack: float

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self.tree[-1]) + 1

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.value.shape[1])

    def read(self, x: NDArray[Any]) -> Floats:
        """Return rows (n, d) as the library sees them."""
        return np.asarray(x).astype(self.grid).astype(np.float64)

    def scores(self, x: NDArray[Any]) -> Floats:
        """Return the scores of rows (n, d), (n, classes)."""
        rows = np.concatenate([self.read(x), np.zeros((len(x), 1))], axis=1)
        found = [self.base + self.value[self.holding(row)].sum(axis=0) for row in rows]
        return np.array(found).reshape(len(rows), self.n_classes)

    def holding(self, row: Floats) -> Ints:
        """Return the leaf of each tree that holds a row (d + 1,) that was read, (trees,)."""
        cells = row[self.feature]
        return np.flatnonzero(((self.low <= cells) & (cells <= self.high)).all(axis=1))

    def before(self, values: Floats, features: Ints) -> Floats:
        """Return the largest number of the grid below each value."""
        return self._next(values, features, -1.0)

    def after(self, values: Floats, features: Ints) -> Floats:
        """Return the smallest number of the grid above each value."""
        return self._next(values, features, 1.0)

    def inside(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest numbers of the grid in intervals (n, d)."""
        down, up = _rounded(low, self.grid, up=True), _rounded(high, self.grid, up=False)
        return np.where(self.whole, np.ceil(down), down), np.where(self.whole, np.floor(up), up)

    def with_whole(self, columns: Mask) -> Forest:
        """Return the forest over rows whose given columns (d,) hold whole numbers only, without leaves left empty."""
        if not columns.any():
            return self
        whole = np.append(columns, False)[self.feature]
        low, high = np.where(whole, np.ceil(self.low), self.low), np.where(whole, np.floor(self.high), self.high)
        kept = (low <= high).all(axis=1)
        return replace(
            self,
            whole=columns,
            tree=self.tree[kept],
            feature=self.feature[kept],
            low=low[kept],
            high=high[kept],
            value=self.value[kept],
        )

    def _next(self, values: Floats, features: Ints, sign: float) -> Floats:
        step = np.nextafter(values.astype(self.grid), self.grid.type(sign * np.inf)).astype(np.float64)
        return np.where(np.append(self.whole, False)[features], values + sign, step)


def grow(trees: Sequence[Tree], d: int, *, grid: Any, base: Floats | None = None, slack: float = 1e-9) -> Forest:
    """Put trees over d columns together.

    Raises:
        Skipped: too many leaves.
        ValueError: a tree's nodes are no tree, or ask about columns that are none.
    """
    kind = np.dtype(grid)
    paths: list[dict[int, tuple[float, float]]] = []
    owner: list[int] = []
    values: list[Floats] = []
    for number, tree in enumerate(trees):
        for leaf, path in _leaves(tree, d, kind):
            paths.append(path)
            owner.append(number)
            values.append(tree.value[leaf])
        if len(paths) > MOST_LEAVES:
            raise Skipped(f"the trees have more than {MOST_LEAVES} leaves, too many to search")
    width = max([1, *map(len, paths)])
    if not paths or width * len(paths) > MOST_CELLS:
        raise Skipped(f"{len(paths)} leaves that ask about up to {width} columns each are too many to search, or none")
    shape = (len(paths), width)
    feature, low, high = np.full(shape, d), np.full(shape, -np.inf), np.full(shape, np.inf)
    for row, path in enumerate(paths):
        feature[row, : len(path)] = list(path)
        low[row, : len(path)] = [ends[0] for ends in path.values()]
        high[row, : len(path)] = [ends[1] for ends in path.values()]
    value = np.array(values, np.float64)
    return Forest(
        d=d,
        grid=kind,
        whole=np.zeros(d, np.bool_),
        tree=np.array(owner),
        feature=feature,
        low=low,
        high=high,
        value=value,
        base=np.zeros(value.shape[1]) if base is None else base,
        slack=slack,
    )


def _leaves(tree: Tree, d: int, grid: np.dtype[Any]) -> list[tuple[int, dict[int, tuple[float, float]]]]:
    """Leaves that some number of the grid reaches, each with its interval in every column that it asks about."""
    left, right, feature = tree.left.tolist(), tree.right.tolist(), tree.feature.tolist()
    threshold = tree.threshold.tolist()
    above = np.nextafter(tree.threshold.astype(grid), grid.type(np.inf)).astype(np.float64).tolist()
    found: list[tuple[int, dict[int, tuple[float, float]]]] = []
    todo: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    for _ in range(len(left)):
        if not todo:
            return found
        node, path = todo.pop()
        if left[node] < 0:
            found.append((node, path))
            continue
        column = feature[node]
        if not 0 <= column < d:
            raise ValueError(f"node {node} asks about column {column} of {d}")
        low, high = path.get(column, (-np.inf, np.inf))
        if low <= min(high, threshold[node]):
            todo.append((left[node], {**path, column: (low, min(high, threshold[node]))}))
        if max(low, above[node]) <= high:
            todo.append((right[node], {**path, column: (max(low, above[node]), high)}))
    if todo:
        raise ValueError("the nodes of a tree point at each other in a circle")
    return found


def floor_to(threshold: NDArray[Any], grid: Any) -> Floats:
    """Return the largest number of a grid that is at most each threshold."""
    return _rounded(np.asarray(threshold, np.float64), np.dtype(grid), up=False)


def below(threshold: NDArray[Any], grid: Any) -> Floats:
    """Return the largest number of a grid that is below each threshold of that grid."""
    kind = np.dtype(grid)
    under: Floats = np.nextafter(np.asarray(threshold).astype(kind), kind.type(-np.inf)).astype(np.float64)
    return under


def _rounded(values: Floats, grid: np.dtype[Any], *, up: bool) -> Floats:
    near = values.astype(grid)
    back = near.astype(np.float64)
    sign = np.inf if up else -np.inf
    missed = back < values if up else back > values
    kept: Floats = np.where(missed, np.nextafter(near, grid.type(sign)).astype(np.float64), back)
    return kept
