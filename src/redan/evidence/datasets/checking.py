"""Many rows against a schema, by pandera; every reason with its rows, count, rate and interval.

Agrees with `redan.evidence.datasets.schema.violations` row by row; what concerns a whole table comes on top:
uniqueness, and the type and shape of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.finding import Quantity
from redan.evidence.datasets.schema import Rule, Schema, is_kind
from redan.evidence.datasets.table import Column, Table, needing
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ROWS_NAMED = 100
"""Rows that one reason lists; its count is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One reason why rows do not fit.

    Attributes:
        column: where.
        check: as in `schema.Violation`, or unique, dtype or shape.
        n_broken: how many rows, exactly.
        n_rows: of how many.
        rows: their numbers from 0, the first `MOST_ROWS_NAMED`.
    """

    column: str
    check: str
    n_broken: int
    n_rows: int
    rows: tuple[int, ...]

    @property
    def rate(self) -> Quantity:
        """Share of broken rows with its 95 % interval (Wilson)."""
        low, high = wilson(self.n_broken, self.n_rows)
        return Quantity(
            name="broken_rate",
            value=self.n_broken / max(self.n_rows, 1),
            unit="fraction",
            n=self.n_rows,
            low=low,
            high=high,
            better="lower",
        )


@needing("checking data against a schema")
def check(table: Table, schema: Schema) -> tuple[Broken, ...]:
    """Return every reason why rows do not fit, in the order of columns and checks.

    Raises:
        MissingDependency: pandera is not installed.
    """
    import pandera.errors

    frame = _frame(table, schema)
    n_rows = table.n_rows
    known = {rule.name for rule in schema.rules}
    everything = tuple(range(min(n_rows, MOST_ROWS_NAMED)))
    absent = [rule.name for rule in schema.rules if table.column(rule.name) is None]
    whole = [(name, "absent") for name in absent]
    whole += [(c.name, "unexpected") for c in table.columns if c.name not in known]
    whole += _arrays(table, schema)
    found = [Broken(column=c, check=k, n_broken=n_rows, n_rows=n_rows, rows=everything) for c, k in whole]
    try:
        compiled(schema, without=frozenset(absent)).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as err:
        found += _failures(err.failure_cases, n_rows)
    return tuple(sorted(found, key=lambda b: (b.column, b.check)))


def compiled(schema: Schema, *, without: frozenset[str] = frozenset()) -> Any:
    """Return the schema as a `pandera.DataFrameSchema`.

    Args:
        schema: what rows must look like.
        without: columns that the data lacks.

    Raises:
        ModuleNotFoundError: pandera is not installed.
    """
    import pandera.pandas as pandera

    columns = {}
    for rule in schema.rules:
        if rule.name in without:
            continue
        checks = [
            pandera.Check(_judge(rule, name), name=name, ignore_na=False) for name in ("missing", *_after_missing(rule))
        ]
        columns[rule.name] = pandera.Column(None, checks=checks, nullable=True)
    groups = [g for g in schema.one_hot if not without & set(g)]
    over_rows = [pandera.Check(_one_hot(group), name="one-hot:" + ",".join(group), ignore_na=False) for group in groups]
    return pandera.DataFrameSchema(columns, checks=over_rows)


def _after_missing(rule: Rule) -> tuple[str, ...]:
    names = ["kind"]
    names += ["category"] if rule.categories is not None else []
    names += ["low"] if rule.low is not None else []
    names += ["high"] if rule.high is not None else []
    return (*names, *(["unique"] if rule.unique else []))


def _judge(rule: Rule, name: str) -> Callable[[Any], Any]:
    """Return a check of a whole column: True where a cell passes or another check speaks about it."""

    def judge(series: Any) -> Any:
        import numpy as np

        gone = series.isna()
        if name == "missing":
            return ~gone | rule.nullable
        if name == "unique":
            return gone | ~series.duplicated(keep=False)
        fits = gone | _of_kind(series, rule)
        if name == "kind":
            return fits
        told = gone | ~fits
        if name == "category":
            return told | series.isin(list(rule.categories or ()))
        if rule.categories is not None:
            told = told | ~series.isin(list(rule.categories))
        numbers = series.where(~told, 0.0).astype(np.float64)
        if name == "low":
            return told | (numbers >= rule.low)
        below = numbers < rule.low if rule.low is not None else told & False
        return told | below | (numbers <= rule.high)

    return judge


def _of_kind(series: Any, rule: Rule) -> Any:
    import numpy as np

    if series.dtype == object:
        return series.map(lambda value: is_kind(value, rule.kind)).astype(bool)
    if rule.kind in ("text", "boolean"):
        return series.isna() & False
    finite = np.isfinite(series)
    return finite if rule.kind == "number" else finite & (series == np.floor(series))


def _one_hot(group: tuple[str, ...]) -> Callable[[Any], Any]:
    def judge(frame: Any) -> Any:
        import numpy as np
        import pandas as pd

        part = frame[list(group)]
        fits = pd.concat([_of_kind(part[name], Rule(name=name, kind="number")) for name in group], axis=1).all(axis=1)
        numbers = part.where(fits, 0.0).astype(np.float64)
        one = ((numbers == 0.0) | (numbers == 1.0)).all(axis=1) & (numbers.sum(axis=1) == 1.0)
        return ~fits | one

    return judge


def _frame(table: Table, schema: Schema) -> Any:
    import pandas as pd

    rules = {rule.name: rule for rule in schema.rules}
    given = {c.name: _series(c, rules[c.name]) for c in table.columns if c.name in rules}
    return pd.DataFrame(given, index=range(table.n_rows))


def _series(column: Column, rule: Rule) -> Any:
    import pandas as pd

    if column.kind in ("integer", "number") and rule.kind in ("integer", "number"):
        return pd.Series(column.values)
    cells: list[Any] = [None] * len(column.values)
    # a text file does not say whether 1 is a number or a word: the schema does
    read = _as_asked(column, rule)
    for i in (~column.missing).nonzero()[0]:
        cells[i] = read(column.cell(int(i)))
    return pd.Series(cells, dtype=object)


def _as_asked(column: Column, rule: Rule) -> Callable[[Any], Any]:
    if column.dtype == "text" and column.kind == "text" and rule.kind in ("integer", "number"):
        return _number_or_word
    return lambda value: value


def _number_or_word(word: str) -> float | str:
    try:
        return float(word) if "_" not in word else word
    except ValueError:
        return word


def cells(table: Table, schema: Schema) -> list[dict[str, Any]]:
    """Return the rows as `check` sees them: numbers among words of a text file are numbers where the schema asks so."""
    rules = {rule.name: rule for rule in schema.rules}
    readers = {c.name: _as_asked(c, rules[c.name]) if c.name in rules else (lambda value: value) for c in table.columns}
    return [{c.name: _read(c.cell(i), readers[c.name]) for c in table.columns} for i in range(table.n_rows)]


def _read(value: Any, reader: Callable[[Any], Any]) -> Any:
    return None if value is None else reader(value)


def _failures(cases: Any, n_rows: int) -> list[Broken]:
    found: dict[tuple[str, str], set[int]] = {}
    for check_name, column, index in zip(cases["check"], cases["column"], cases["index"], strict=True):
        name, sign, group = str(check_name).partition(":")
        key = (group if sign else str(column), name)
        found.setdefault(key, set()).add(int(index))
    return [
        Broken(
            column=column,
            check=name,
            n_broken=len(rows),
            n_rows=n_rows,
            rows=tuple(sorted(rows)[:MOST_ROWS_NAMED]),
        )
        for (column, name), rows in found.items()
    ]


def _arrays(table: Table, schema: Schema) -> list[tuple[str, str]]:
    given = {a.name: a for a in table.arrays}
    found = []
    for rule in schema.arrays:
        array = given.get(rule.name)
        if array is None:
            found.append((rule.name, "absent"))
            continue
        if array.dtype != rule.dtype:
            found.append((rule.name, "dtype"))
        fits = len(array.shape) == 1 + len(rule.shape) and all(
            wanted in (0, side) for wanted, side in zip(rule.shape, array.shape[1:], strict=True)
        )
        if not fits:
            found.append((rule.name, "shape"))
    return found
