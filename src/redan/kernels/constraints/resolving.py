"""From the names that an owner declares to the places of columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from redan.core.constraints import Rules
from redan.core.errors import ConfigError, ShapeMismatch, UnknownName
from redan.core.inputs import Dataset
from redan.kernels.constraints.relations import parse
from redan.kernels.constraints.table import Constraints


def resolve(rules: Rules, columns: Sequence[str]) -> Constraints:
    """Find the columns that rules speak of.

    Args:
        rules: what was declared.
        columns: names of the table's columns, in order.

    Raises:
        UnknownName: a name that is no column's, with the nearest.
        ConfigError: rules that contradict each other, with the way out.
    """
    names = _Names(columns)
    groups = tuple(names.all([entry] if isinstance(entry, str) else entry) for entry in rules.one_hot)
    low, high = _range(rules, names)
    cost = np.zeros(len(columns))
    for name, value in rules.cost.items():
        cost[list(names.all([name]))] = value
    constraints = Constraints(
        columns=tuple(columns),
        low=low,
        high=high,
        integer=names.mask(rules.integer),
        immutable=names.mask(rules.immutable),
        up=names.mask(rules.only_up),
        down=names.mask(rules.only_down),
        groups=groups,
        relations=tuple(parse(text, names.one, len(columns)) for text in rules.relations),
        unit_cost=cost,
        most_cost=np.inf if rules.most_cost is None else rules.most_cost,
    )
    _check_groups(constraints)
    _check_relations(constraints)
    return constraints


def of_table(rules: Rules, data: Dataset) -> Constraints | None:
    """Find the columns of a data set that rules speak of; None when nothing is declared.

    Raises:
        ShapeMismatch: rules for what is no table.
        UsageError: as `resolve`.
    """
    if not rules:
        return None
    if data.x.ndim != 2:
        raise ShapeMismatch(
            f"[constraints] speaks of columns, and one input of {data.name!r} has shape {data.x.shape[1:]}",
            hint="constraints are for tables; leave them out for images",
        )
    return resolve(rules, data.columns or tuple(map(str, range(data.x.shape[1]))))


class _Names:
    """Columns by name and pattern."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)

    @property
    def count(self) -> int:
        return len(self._columns)

    def one(self, name: str) -> int:
        if name not in self._columns:
            raise UnknownName.among("column", name, self._columns)
        return self._columns.index(name)

    def all(self, patterns: Iterable[str]) -> tuple[int, ...]:
        """Places of the columns that names or patterns stand for, each once, in the order of the table."""
        found: set[int] = set()
        for pattern in patterns:
            places = {i for i, name in enumerate(self._columns) if pattern == name or fnmatchcase(name, pattern)}
            found |= places or {self.one(pattern)}
        return tuple(sorted(found))

    def mask(self, patterns: Iterable[str]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._columns), dtype=np.bool_)
        mask[list(self.all(patterns))] = True
        return mask


def _range(rules: Rules, names: _Names) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.full(names.count, -np.inf), np.full(names.count, np.inf)
    for name, (lowest, highest) in rules.range.items():
        places = list(names.all([name]))
        low[places], high[places] = lowest, highest
    return low, high


def _check_groups(constraints: Constraints) -> None:
    seen: set[int] = set()
    for group in constraints.groups:
        called = ", ".join(repr(constraints.columns[place]) for place in group[:3])
        if len(group) < 2:
            raise ConfigError(f"the one-hot group of {called} has one column", hint="a group needs two or more")
        if seen & set(group):
            raise ConfigError(f"two one-hot groups share a column: {called}", hint="a column belongs to one group")
        seen |= set(group)
        if (constraints.up | constraints.down)[list(group)].any():
            raise ConfigError(
                f"the one-hot group of {called} has columns that can only grow or only fall",
                hint="name categories that nobody can leave or enter as immutable",
            )
    for relation in constraints.relations:
        if relation.left in seen:
            raise ConfigError(f"the left column of {relation.text!r} belongs to a one-hot group", hint="turn it round")


def _check_relations(constraints: Constraints) -> None:
    for first, second in combinations(constraints.relations, 2):
        if second.sign == "=" and (first.factors[second.left] or first.left == second.left):
            raise ConfigError(
                f"{first.text!r} uses a column that {second.text!r} sets after it",
                hint="put the relation that sets a column before those that use it",
            )
    for relation in constraints.relations:
        if constraints.immutable[relation.left]:
            raise ConfigError(
                f"the left column of {relation.text!r} is immutable",
                hint="put a column on the left that follows the others",
            )
