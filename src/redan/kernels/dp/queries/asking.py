"""A question about one column, with everything public that its noise depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from redan.core.errors import UsageError

Kind = Literal["count", "sum", "mean", "histogram", "quantile"]
MOST_CATEGORIES = 10_000
MOST_CANDIDATES = 100_001
MOST_ROWS_PER_PERSON = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question whose parameters are all public: none of them may be chosen by looking at the data.

    Attributes:
        kind: what is asked.
        epsilon: what the answer may cost, > 0.
        delta: probability that ε does not hold; 0 draws Laplace noise, above 0 Gaussian noise.
        column: which column; empty for a count of rows.
        bounds: lowest and highest value that counts; values beyond are moved to the nearer bound.
        categories: of a histogram of words; cells that are none of them are counted as ``other``.
        bins: of a histogram of numbers, of equal width between the bounds.
        share: which quantile, in (0, 1); 0.5 is the median.
        candidates: how many equally spaced values between the bounds a quantile may take.
        rows_per_person: how many rows one person has at most; one person's rows together are what ε protects.
    """

    kind: Kind
    epsilon: float
    delta: float = 0.0
    column: str = ""
    bounds: tuple[float, float] | None = None
    categories: tuple[str, ...] = ()
    bins: int = 0
    share: float = 0.5
    candidates: int = 1001
    rows_per_person: int = 1

    def __post_init__(self) -> None:
        """Refuse what has no private answer.

        Raises:
            UsageError: a part is missing or outside its range.
        """
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise UsageError(f"ε is a number above 0, got {self.epsilon!r}", hint="--epsilon 0.5")
        if not 0 <= self.delta < 1:
            raise UsageError(f"δ lies in [0, 1), got {self.delta!r}", hint="--delta 1e-6, or leave it out")
        if not 1 <= self.rows_per_person <= MOST_ROWS_PER_PERSON:
            raise UsageError(f"a person has between 1 and {MOST_ROWS_PER_PERSON} rows, got {self.rows_per_person}")
        if (self.kind == "count") == bool(self.column):
            raise UsageError(f"a {self.kind} is asked {'of rows, not' if self.column else 'of'} a column")
        _check_bounds(self.bounds)
        _PARTS[self.kind](self)

    def text(self) -> str:
        """Return the question in one line, as the ledger keeps it."""
        parts = [f"{self.kind} of {self.column or 'rows'}"]
        if self.kind == "quantile":
            parts.append(f"at {self.share:g}, {self.candidates} candidates")
        if self.bounds is not None:
            parts.append(f"within {self.bounds[0]:g} … {self.bounds[1]:g}")
        if self.categories or self.bins:
            parts.append(f"{len(self.categories) or self.bins} bars")
        if self.rows_per_person > 1:
            parts.append(f"up to {self.rows_per_person} rows a person")
        return ", ".join(parts)


def _check_bounds(bounds: tuple[float, float] | None) -> None:
    if bounds is None:
        return
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"bounds are two numbers, the lower first, got {low!r} and {high!r}", hint="--bounds 0,120")


def _bounded(query: Query) -> None:
    if query.bounds is None:
        raise UsageError(
            f"a {query.kind} needs public bounds: one person could move it without limit",
            hint="--bounds LOW,HIGH from what the column means, not from looking at it",
        )


def _binned(query: Query) -> None:
    if bool(query.categories) == bool(query.bins):
        raise UsageError(
            "a histogram needs either public categories or a number of bins",
            hint="--categories a,b,c for words; --bins 10 --bounds 0,100 for numbers",
        )
    if query.bins:
        _bounded(query)
    if len(set(query.categories)) != len(query.categories):
        raise UsageError("a category is named twice")
    if max(len(query.categories), query.bins) > MOST_CATEGORIES or query.bins < 0:
        raise UsageError(f"a histogram has between 1 and {MOST_CATEGORIES} bars")


def _ranked(query: Query) -> None:
    _bounded(query)
    if not 0 < query.share < 1:
        raise UsageError(f"a quantile lies between 0 and 1, got {query.share!r}", hint="--quantile age:0.5")
    if not 2 <= query.candidates <= MOST_CANDIDATES:
        raise UsageError(f"a quantile has between 2 and {MOST_CANDIDATES} candidates, got {query.candidates}")
    if query.delta:
        raise UsageError("a quantile is chosen without δ", hint="leave out --delta")


def _anything(query: Query) -> None:
    """A count asks for nothing else."""


_PARTS = {"count": _anything, "sum": _bounded, "mean": _bounded, "histogram": _binned, "quantile": _ranked}
