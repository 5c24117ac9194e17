"""Rows held against the model's data schema, a batch at once.

`redan.evidence.datasets.schema.violations` is the meaning: a row passes here if and only if it has none there, judged
at the precision that the model takes. What a client is told names the column and the check; the row goes to the record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ConfigError
from redan.evidence.datasets.schema import Schema, violations
from redan.service.gateway.refusal import INVALID, Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.service.gateway.call import Batch, Call
    from redan.service.models.served import Served

_WORDS = {
    "missing": "is missing",
    "kind": "is of another kind",
    "low": "is too low",
    "high": "is too high",
    "category": "is none of the values it may have",
    "one-hot": "is not one-hot",
    "shape": "are of another shape",
    "range": "are out of range or no finite numbers",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Rules of a table as arrays, in the order of the model's columns.

    Attributes:
        low: (d,) least allowed, already at the model's precision.
        high: (d,) most allowed.
        nullable: (d,) whether NaN is allowed, or None where it is nowhere.
        whole: (w,) columns of whole numbers.
        sets: columns with categories that are no stretch of whole numbers, each with its sorted values.
        groups: one-hot groups, as columns.
        numeric: whether every column takes numbers; else no row of numbers fits.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    nullable: NDArray[np.bool_] | None
    whole: NDArray[np.int64]
    sets: tuple[tuple[int, NDArray[Any]], ...]
    groups: tuple[NDArray[np.int64], ...]
    numeric: bool

    def fits(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which rows of (n, d) fit, (n,); one-hot groups with a missing cell count as not fitting."""
        if not self.numeric or x.dtype.kind == "b":
            return np.zeros(len(x), bool)
        inside = (x >= self.low) & (x <= self.high)
        if self.nullable is not None:
            inside |= np.isnan(x) & self.nullable
        if self.whole.size and x.dtype.kind == "f":
            cells = x[:, self.whole]
            inside[:, self.whole] &= (cells == np.floor(cells)) | np.isnan(cells)
        for column, values in self.sets:
            cells = x[:, column]
            inside[:, column] &= np.isin(cells, values) | np.isnan(cells)
        found = np.asarray(inside.all(axis=1))
        for group in self.groups:
            cells = x[:, group]
            found &= ((cells == 1).sum(axis=1) == 1) & ((cells == 0).sum(axis=1) == len(group) - 1)
        return found


def _for_columns(schema: Schema, served: Served) -> Schema:
    """Return the rules of the model's own columns, in their order.

    Raises:
        ConfigError: the schema lacks a column of the model, or their numbers differ where names are not known.
    """
    rules = {rule.name: rule for rule in schema.rules}
    names = served.columns or tuple(rules)
    lacking = [name for name in names if name not in rules]
    if lacking or (served.shape and len(names) != served.shape[-1]):
        what = f"lacks column {lacking[0]!r}" if lacking else f"has {len(names)} columns, and it takes {served.shape}"
        raise ConfigError(
            f"the schema of model {served.settings.name!r} {what}",
            hint="make it from the model's inputs in its training data: redan data schema TRAIN --label COLUMN -o FILE",
        )
    known = set(names)
    groups = tuple(group for group in schema.one_hot if known.issuperset(group))
    return replace(schema, rules=tuple(rules[name] for name in names), one_hot=groups)


def _compiled(schema: Schema, dtype: Any) -> _Table:
    rules, exact = schema.rules, np.dtype(dtype)
    most = np.finfo(exact).max if exact.kind == "f" else np.inf
    low = np.array([-most if rule.low is None else rule.low for rule in rules], dtype=np.float64)
    high = np.array([most if rule.high is None else rule.high for rule in rules], dtype=np.float64)
    sets = []
    for i, rule in enumerate(rules):
        if rule.categories is None or rule.kind == "text":
            continue
        values = np.array(sorted(rule.categories), dtype=np.float64)
        if not values.size:
            low[i], high[i] = 1.0, 0.0
            continue
        low[i], high[i] = max(low[i], values[0]), min(high[i], values[-1])
        if rule.kind != "integer" or values.size != values[-1] - values[0] + 1:
            sets.append((i, values.astype(exact) if exact.kind == "f" else values))
    place = {rule.name: i for i, rule in enumerate(rules)}
    nullable = np.array([rule.nullable for rule in rules], bool)
    with np.errstate(over="ignore"):  # a bound beyond the model's precision bounds nothing, and infinity is no number
        low, high = ((ends.astype(exact) if exact.kind == "f" else ends) for ends in (low, high))
    return _Table(
        low=np.clip(low, -most, most),
        high=np.clip(high, -most, most),
        nullable=nullable if nullable.any() and exact.kind == "f" else None,
        whole=np.array([i for i, rule in enumerate(rules) if rule.kind == "integer"], dtype=np.int64),
        sets=tuple(sets),
        groups=tuple(np.array([place[name] for name in group], dtype=np.int64) for group in schema.one_hot),
        numeric=all(rule.kind in ("number", "integer") for rule in rules),
    )


class Validation:
    """Refuses calls with a row that does not fit.

    Args:
        served: names columns, shape, schema and bounds.

    Raises:
        ConfigError: the schema is of another model.
    """

    name = "validation"

    def __init__(self, served: Served) -> None:
        self._shape = served.shape
        bounds = served.detected.bounds if served.detected is not None else None
        exact = np.dtype(served.dtype)
        self._bounds = np.array(bounds).astype(exact) if bounds is not None else None
        self._finite, self._kinds = exact.kind == "f", "OUS" if exact.kind in "OUS" else "fiub"
        schema, self._schema, self._table = served.schema, None, None
        if schema is not None and schema.rules and self._kinds == "fiub":
            self._schema = _for_columns(schema, served)
            self._table = _compiled(self._schema, exact)
        elif schema is not None and len(schema.arrays) == 1:
            self._shape = schema.arrays[0].shape

    def before(self, batch: Batch) -> None:
        """Refuse calls with rows of another shape, and those with a row that breaks a rule."""
        x = batch.x
        if x.dtype.kind not in self._kinds or not self._is_shape(x.shape[1:]):
            for call in batch.calls:
                _refuse(call, "rows", "shape", 0)
            return
        fits = self._fits(x)
        if fits.all():
            return
        for index in np.unique(batch.owner[~fits]):
            call = batch.calls[index]
            places = np.flatnonzero(batch.owner == index)
            for row in places[~fits[places]]:
                found = self._reason(x[row])
                if found is not None:
                    _refuse(call, *found, int(row - places[0]))
                    break

    def after(self, batch: Batch) -> None:
        """Leave answers alone."""

    def _is_shape(self, shape: tuple[int, ...]) -> bool:
        wanted = self._shape
        if shape == wanted:
            return True
        return len(shape) == len(wanted) and all(w in (0, have) for w, have in zip(wanted, shape, strict=True))

    def _fits(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        if self._table is not None:
            return self._table.fits(x)
        flat = x.reshape(len(x), -1)
        if self._bounds is not None:
            # false for NaN too
            return np.asarray(((flat >= self._bounds[0]) & (flat <= self._bounds[1])).all(axis=1))
        return np.asarray(np.isfinite(flat).all(axis=1)) if self._finite else np.ones(len(flat), bool)

    def _reason(self, row: NDArray[Any]) -> tuple[str, str] | None:
        """Return column and check of a row that may not fit; None when it does after all."""
        if self._schema is None or self._table is None:
            return "rows", "range"
        exact = row.tolist()
        names = [rule.name for rule in self._schema.rules]
        low, high = self._table.low.tolist(), self._table.high.tolist()
        # the same rules at the precision of the model
        rules = tuple(
            replace(
                rule,
                low=None if rule.low is None else min(rule.low, low[i]),
                high=None if rule.high is None else max(rule.high, high[i]),
            )
            for i, rule in enumerate(self._schema.rules)
        )
        found = violations(replace(self._schema, rules=rules), dict(zip(names, exact, strict=True)))
        return (found[0].column, found[0].check) if found else None


def _refuse(call: Call, column: str, check: str, row: int) -> None:
    if call.refusal is None:
        call.refusal = _said(column, check)
        call.note = {"row": row, "column": column, "check": check}


@lru_cache(maxsize=4096)
def _said(column: str, check: str) -> Refusal:
    what = column if column == "rows" else f"column {column!r}"
    return replace(INVALID, say=f"{what} {_WORDS[check]}; see the model's metadata")
