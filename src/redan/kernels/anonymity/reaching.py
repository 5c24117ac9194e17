"""Generalise columns step by step, then leave rows out, until every class has k rows.

Source: Sweeney (1997), Datafly: the column with the most values is generalised first, and a few rows are left out at
the end. Among columns we take the one that loses the least information for every row it helps, and then exchange steps
while that wins information.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import UsageError
from redan.core.record import dataclass
from redan.kernels.anonymity.classes import classes, codes_of, small_rows
from redan.kernels.anonymity.ladders import entropy, ladder

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EXCHANGES = 20
"""Times that a finer table is looked for after one with k was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A table in which every row that is kept has k - 1 like it.

    Attributes:
        columns: name → cells after generalisation, all rows.
        kept: rows that stay, shape (n,).
        steps: name → step of its ladder, 0 for as it was.
        losses: name → share of its information that is lost over the kept rows' columns.
    """

    columns: Mapping[str, NDArray[Any]]
    kept: NDArray[np.bool_]
    steps: Mapping[str, int]
    losses: Mapping[str, float]


def reach(columns: Mapping[str, NDArray[Any]], k: int, *, most_left_out: float = 0.05) -> Reached:
    """Generalise quasi-identifiers until leaving out few rows is enough for k-anonymity.

    Args:
        columns: quasi-identifiers, each of shape (n,).
        k: rows that a class has at least.
        most_left_out: share of rows that may be left out.

    Raises:
        UsageError: no columns, k below 2, or more than there are rows.
    """
    n_rows = len(next(iter(columns.values()), np.empty(0)))
    if not columns or not 2 <= k <= n_rows:
        raise UsageError(
            f"k = {k} over {len(columns)} columns of {n_rows} rows", hint="2 ≤ k ≤ rows, one column or more"
        )
    ladders = {name: ladder(np.asarray(column)) for name, column in columns.items()}
    codes = {name: [codes_of(step) for step in steps] for name, steps in ladders.items()}
    told = {name: [entropy(step) for step in steps] for name, steps in ladders.items()}
    lost = {name: [max(0.0, steps[0] - each) for each in steps] for name, steps in told.items()}
    at = dict.fromkeys(columns, 0)
    small = _small(codes, at, k)
    while small.mean() > most_left_out:
        open_names = [name for name in columns if at[name] + 1 < len(ladders[name])]
        if not open_names:
            break
        best = max(open_names, key=lambda name: _gain(codes, lost, at, name, k, int(small.sum())))
        at[best] += 1
        small = _small(codes, at, k)
    if small.mean() <= most_left_out:
        at = _finer(codes, lost, at, k, most_left_out)
        small = _small(codes, at, k)
    found = {name: ladders[name][at[name]] for name in columns}
    return Reached(
        columns=found,
        kept=~small,
        steps=at,
        losses={name: lost[name][at[name]] / told[name][0] if told[name][0] else 0.0 for name in columns},
    )


def _finer(
    codes: Mapping[str, list[NDArray[np.int64]]],
    lost: Mapping[str, list[float]],
    at: Mapping[str, int],
    k: int,
    most_left_out: float,
) -> dict[str, int]:
    """Make a column finer, if need be for another one coarser, as long as information is won and k stays."""
    best = dict(at)
    for _ in range(MOST_EXCHANGES):
        tries = sorted(_exchanges(best, codes), key=lambda each: _total(lost, each))
        won = next(
            (
                each
                for each in tries
                if _total(lost, each) < _total(lost, best) - 1e-9 and _small(codes, each, k).mean() <= most_left_out
            ),
            None,
        )
        if won is None:
            break
        best = won
    return best


def _exchanges(at: Mapping[str, int], codes: Mapping[str, list[NDArray[np.int64]]]) -> Iterator[dict[str, int]]:
    for name, place in at.items():
        for finer in range(place):
            yield {**at, name: finer}
            for other in at:
                for coarser in range(at[other] + 1, len(codes[other]) if other != name else 0):
                    yield {**at, name: finer, other: coarser}


def _total(lost: Mapping[str, list[float]], at: Mapping[str, int]) -> float:
    return sum(lost[name][place] for name, place in at.items())


def _small(codes: Mapping[str, list[NDArray[np.int64]]], at: Mapping[str, int], k: int) -> NDArray[np.bool_]:
    return small_rows(classes([codes[name][place] for name, place in at.items()]), k)


def _gain(
    codes: Mapping[str, list[NDArray[np.int64]]],
    lost: Mapping[str, list[float]],
    at: Mapping[str, int],
    name: str,
    k: int,
    small: int,
) -> float:
    """Return how many rows a step of one column helps for the information it loses."""
    after = int(_small(codes, {**at, name: at[name] + 1}, k).sum())
    return (small - after + 1e-9) / (lost[name][at[name] + 1] - lost[name][at[name]] + 1e-3)
