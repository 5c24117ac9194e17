"""What rows must look like: a plain record, inferred from training data, that judges one row without any library.

`violations` is the meaning of a schema; whatever checks many rows at once must agree with it. Missing cells are None or
NaN. A whole number may be written as a float (30.0 for 30); a boolean is no number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from redan.core.errors import Unreadable
from redan.evidence.datasets.table import Kind, Value

if TYPE_CHECKING:
    from redan.evidence.datasets.table import Column, Table

FORMAT = "redan/data-schema/1"
LARGEST_BYTES = 16 << 20
MARGIN_FRACTION = 0.1
"""By this share of its width a range is wider than what was seen."""
MOST_UNIQUE_CHECKED = 20
"""With fewer rows, distinct values say nothing about uniqueness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the cells of one column must be.

    Attributes:
        name: of the column.
        kind: what its cells are.
        nullable: whether cells may be missing.
        low: lowest number allowed, or None.
        high: highest number allowed, or None.
        categories: the only values allowed, or None.
        unique: no value may stand twice; judged over a whole table only.
        missing_rate: share of missing cells when the schema was made.
        edges: of a column of numbers, in order: where its values were cut into at most eight bins, about as many in
            each.
        counts: rows of the data in each bin, then those with a missing cell; empty where it was not counted.
    """

    name: str
    kind: Kind
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] | tuple[int, ...] | None = None
    unique: bool = False
    missing_rate: float = 0.0
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRule:
    """What an array must be.

    Attributes:
        name: of the array.
        dtype: of its elements.
        shape: of one row; 0 for an axis that may differ.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a row must look like.

    Attributes:
        rules: one for each column.
        one_hot: groups of columns of which exactly one is 1 and all others are 0.
        arrays: one for each array.
        rows: how many rows it was inferred from.
        margin_fraction: by which share of their width the ranges are wider than what was seen.
    """

    rules: tuple[Rule, ...]
    one_hot: tuple[tuple[str, ...], ...] = ()
    arrays: tuple[ArrayRule, ...] = ()
    rows: int = 0
    margin_fraction: float = MARGIN_FRACTION

    @property
    def words(self) -> frozenset[str]:
        """Names of the columns that hold text."""
        return frozenset(rule.name for rule in self.rules if rule.kind == "text")


def columns_of(schema: Schema, names: Sequence[str] = ()) -> tuple[Rule, ...] | None:
    """Return the rules of a model's columns in its order, that of the schema where it names none; None if one lacks."""
    rules = {rule.name: rule for rule in schema.rules}
    wanted = names or tuple(rules)
    return tuple(rules[name] for name in wanted) if rules.keys() >= set(wanted) else None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Violation:
    """One reason why a row does not fit.

    Attributes:
        column: where; the columns of a one-hot group with commas between.
        check: absent, unexpected, missing, kind, low, high, category or one-hot.
    """

    column: str
    check: str


def violations(schema: Schema, row: Mapping[str, Value]) -> tuple[Violation, ...]:
    """Return every reason why a row does not fit, in order; empty when it does."""
    found = [v for rule in schema.rules for v in _of_column(rule, row)]
    known = {rule.name for rule in schema.rules}
    found += [Violation(column=name, check="unexpected") for name in row if name not in known]
    for group in schema.one_hot:
        values = [row.get(name) for name in group]
        # a cell of another kind has said so already
        if all(is_kind(v, "number") for v in values) and not _is_one_hot(values):
            found.append(Violation(column=",".join(group), check="one-hot"))
    return tuple(sorted(found))


def _of_column(rule: Rule, row: Mapping[str, Value]) -> list[Violation]:
    if rule.name not in row:
        return [Violation(column=rule.name, check="absent")]
    value = row[rule.name]
    if is_missing(value):
        return [] if rule.nullable else [Violation(column=rule.name, check="missing")]
    if not is_kind(value, rule.kind):
        return [Violation(column=rule.name, check="kind")]
    if rule.categories is not None and value not in rule.categories:
        return [Violation(column=rule.name, check="category")]
    if isinstance(value, str):
        return []
    if rule.low is not None and value is not None and value < rule.low:
        return [Violation(column=rule.name, check="low")]
    if rule.high is not None and value is not None and value > rule.high:
        return [Violation(column=rule.name, check="high")]
    return []


def _is_one_hot(values: Sequence[Value]) -> bool:
    return sum(v == 1 for v in values) == 1 and sum(v == 0 for v in values) == len(values) - 1


def is_missing(value: Value) -> bool:
    """Tell whether a cell is missing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_kind(value: Value, kind: Kind) -> bool:
    """Tell whether a present cell is of a kind; infinities are no numbers."""
    if kind in ("text", "boolean"):
        return isinstance(value, str if kind == "text" else bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, int):
        return True
    return math.isfinite(value) and (kind == "number" or value.is_integer())


def infer(table: Table, *, margin_fraction: float = MARGIN_FRACTION) -> Schema:
    """Infer a schema that every row of a table fits, except rows with infinities.

    Args:
        table: training data.
        margin_fraction: how much wider than what was seen ranges are, as a share of their width; categories, whole
            numbers with few values and one-hot groups get none.
    """
    return Schema(
        rules=tuple(_rule(c, table.n_rows, margin_fraction) for c in table.columns),
        one_hot=_groups(table),
        arrays=tuple(ArrayRule(name=a.name, dtype=a.dtype, shape=tuple(a.shape[1:])) for a in table.arrays),
        rows=table.n_rows,
        margin_fraction=margin_fraction,
    )


def _rule(column: Column, n_rows: int, margin_fraction: float) -> Rule:
    from redan.evidence.datasets.profile import categories, span

    values, ends = categories(column), span(column)
    n_missing = int(column.missing.sum())
    # few values among few rows are chance, not categories
    few = values is not None and 0 < 2 * len(values) <= n_rows - n_missing
    low = high = None
    if ends is not None and column.kind in ("integer", "number") and not few:
        margin = (ends[1] - ends[0]) * margin_fraction
        low, high = ends[0] - margin, ends[1] + margin
        if column.kind == "integer":
            low, high = float(math.floor(low)), float(math.ceil(high))
    return Rule(
        name=column.name,
        kind=column.kind,
        nullable=n_missing > 0,
        low=low,
        high=high,
        categories=values if few else None,
        unique=_unique(column, n_rows),
        missing_rate=n_missing / n_rows if n_rows else 0.0,
        **(_bins(column) if column.kind in ("integer", "number") else {}),
    )


def _bins(column: Column) -> dict[str, Any]:
    import numpy as np

    from redan.kernels.drift.profile import profile

    found = profile(column.values[:, None], (column.name,))
    edges = found.edges[0][np.isfinite(found.edges[0])].tolist()
    *counts, n_missing = found.counts[0].tolist()
    return {"edges": tuple(edges), "counts": (*counts[: len(edges) + 1], n_missing)}


def _unique(column: Column, n_rows: int) -> bool:
    if n_rows < MOST_UNIQUE_CHECKED or column.kind not in ("text", "integer") or column.missing.any():
        return False
    return len(set(column.values.tolist())) == n_rows


def _groups(table: Table) -> tuple[tuple[str, ...], ...]:
    """Find neighbours of one prefix (``city_Bern``, ``city_Basel``) that are 0 or 1 and of which one is 1."""
    import numpy as np

    found: dict[str, list[Column]] = {}
    for column in table.columns:
        prefix, sign, _ = column.name.rpartition("_")
        if sign and column.kind in ("integer", "number") and not column.missing.any():
            found.setdefault(prefix, []).append(column)
    groups = []
    for columns in found.values():
        if len(columns) < 2 or table.n_rows < MOST_UNIQUE_CHECKED:
            continue
        values = np.stack([c.values for c in columns])
        if np.isin(values, (0.0, 1.0)).all() and (values.sum(axis=0) == 1).all():
            groups.append(tuple(c.name for c in columns))
    return tuple(groups)


def to_json(schema: Schema) -> bytes:
    """Write a schema."""
    return json.dumps({"schema": FORMAT, **asdict(schema)}, indent=1, allow_nan=False).encode() + b"\n"


def read(path: Path) -> Schema:
    """Read a schema.

    Raises:
        Unreadable: missing, too large, or no schema.
    """
    from redan.evidence.statements.statement import strict_json

    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"{path.name!r} has more than {LARGEST_BYTES} bytes")
    try:
        return from_document(strict_json(data))
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise Unreadable(
            f"{path.name!r} is no schema of data: {type(err).__name__} {err}", hint="redan data schema TRAIN -o FILE"
        ) from err


def from_document(document: Any) -> Schema:
    """Read a schema from JSON values.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is none.
    """
    if document["schema"] != FORMAT:
        raise ValueError(f"it is {document['schema']!r}; expected {FORMAT!r}")
    schema = Schema(
        rules=tuple(_read_rule(each) for each in document["rules"]),
        one_hot=tuple(tuple(str(name) for name in group) for group in document["one_hot"]),
        arrays=tuple(
            ArrayRule(name=str(a["name"]), dtype=str(a["dtype"]), shape=tuple(int(n) for n in a["shape"]))
            for a in document["arrays"]
        ),
        rows=int(document["rows"]),
        margin_fraction=float(document["margin_fraction"]),
    )
    names = [rule.name for rule in schema.rules]
    if len(set(names)) < len(names) or not {n for g in schema.one_hot for n in g} <= set(names):
        raise ValueError("a column stands twice, or a one-hot group names one that is not there")
    return schema


def _read_rule(each: Any) -> Rule:
    many = {name: tuple(each[name]) for name in ("categories", "edges", "counts") if each.get(name) is not None}
    rule = Rule(**{**each, **many})
    if rule.kind not in get_args(Kind) or not isinstance(rule.name, str):
        raise ValueError(f"{rule.kind!r} is no kind of column")
    numbers = (rule.low, rule.high, rule.missing_rate)
    if not all(n is None or (isinstance(n, (int, float)) and not isinstance(n, bool)) for n in numbers):
        raise TypeError("low, high and missing_rate are numbers")
    if not isinstance(rule.nullable, bool) or not isinstance(rule.unique, bool):
        raise TypeError("nullable and unique are true or false")
    _insist_on_bins(rule)
    wanted = str if rule.kind == "text" else int
    if rule.categories is not None and not all(type(c) is wanted for c in rule.categories):
        raise TypeError(f"the categories of {rule.name!r} are of another kind")
    return rule


def _insist_on_bins(rule: Rule) -> None:
    edges, counts = rule.edges, rule.counts
    if not all(type(edge) in (int, float) and math.isfinite(edge) for edge in edges) or list(edges) != sorted(edges):
        raise TypeError(f"the edges of {rule.name!r} are numbers in order")
    if not all(type(n) is int and 0 <= n < 1 << 53 for n in counts) or len(counts) != (len(edges) + 2 if counts else 0):
        raise TypeError(f"the counts of {rule.name!r} are whole numbers, one more than bins")
