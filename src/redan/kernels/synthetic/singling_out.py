"""Guesses that single somebody out: conditions that hold for exactly one person, learnt from synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.statistics import normal_quantile
from redan.kernels.synthetic.comparing import Risk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.kernels.synthetic.rows import Mixed

EQUAL, AT_MOST, AT_LEAST = 0, 1, 2
TRIES = 10
"""Synthetic rows that are tried for each guess that is wanted, at each width."""
WIDER = (1, 2, 4)
"""Widths that are tried, in multiples of the one asked for."""
DEALS = 999
"""Random deals of rows to the two sides, for the test."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guess:
    """A condition on a person: every column holds as it is compared.

    Attributes:
        columns: places of columns.
        kinds: EQUAL, AT_MOST or AT_LEAST for each.
        values: to compare with.
    """

    columns: tuple[int, ...]
    kinds: tuple[int, ...]
    values: tuple[float, ...]

    def holds(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the places of the rows (n, d) for which it holds."""
        left = np.arange(len(rows))
        for place, kind, value in zip(self.columns, self.kinds, self.values, strict=True):
            seen = rows[left, place]
            left = left[seen == value if kind == EQUAL else seen <= value if kind == AT_MOST else seen >= value]
            if not len(left):
                break
        return left


def by_one_column(data: Mixed, rows: NDArray[Any], most: int, draws: np.random.Generator) -> list[Guess]:
    """Guess that whoever has an extreme or unique value in the synthetic rows exists and is alone.

    Source: Giomi et al. 2023, section 3.1, univariate predicates.
    """
    found = []
    for place in range(rows.shape[1]):
        values, counts = np.unique(rows[:, place][~np.isnan(rows[:, place])], return_counts=True)
        found += [Guess(columns=(place,), kinds=(EQUAL,), values=(float(v),)) for v in values[counts == 1]]
        if data.numeric[place] and len(values):
            found.append(Guess(columns=(place,), kinds=(AT_MOST,), values=(float(values[0]),)))
            found.append(Guess(columns=(place,), kinds=(AT_LEAST,), values=(float(values[-1]),)))
    order = draws.permutation(len(found))[:most]
    return [found[i] for i in sorted(order.tolist())]


def by_columns(data: Mixed, rows: NDArray[Any], width: int, most: int, draws: np.random.Generator) -> list[Guess]:
    """Guess that the conditions which single out one synthetic row single out a person.

    Columns of one synthetic row are taken at random: equality for categories, at least or at most for numbers on that
    side of the median. Where guesses of that width are too few, as with columns of yes and no, wider ones are added.

    Source: Giomi et al. 2023, section 3.1, multivariate predicates.
    """
    medians = np.array([np.nanmedian(c) if np.isfinite(c).any() else 0.0 for c in rows.T])
    found: dict[tuple[Any, ...], Guess] = {}
    for wide in (width * factor for factor in WIDER):
        for row in draws.integers(0, len(rows), TRIES * most).tolist():
            if len(found) == most:
                break
            places = np.sort(draws.choice(rows.shape[1], min(wide, rows.shape[1]), replace=False))
            guess = _of_row(data, rows[row], places, medians)
            if guess is not None and len(guess.holds(rows)) == 1:
                found.setdefault((guess.columns, guess.values), guess)
    return list(found.values())


def _of_row(data: Mixed, row: NDArray[Any], places: NDArray[Any], medians: NDArray[Any]) -> Guess | None:
    values = row[places]
    if np.isnan(values).any():
        return None
    sides = np.where(values >= medians[places], AT_LEAST, AT_MOST)
    kinds = np.where(data.numeric[places], sides, EQUAL)
    return Guess(columns=tuple(places.tolist()), kinds=tuple(kinds.tolist()), values=tuple(values.tolist()))


def blindly(data: Mixed, guesses: list[Guess], rows: NDArray[Any], draws: np.random.Generator) -> Iterator[Guess]:
    """Yield for each guess one of the same form whose values come from rows at random, each column by itself."""
    for guess in guesses:
        picked = draws.integers(0, len(rows), len(guess.columns))
        values = rows[picked, list(guess.columns)]
        yield Guess(columns=guess.columns, kinds=guess.kinds, values=tuple(values.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SingledOut:
    """How often guesses single somebody out.

    Attributes:
        n: guesses.
        original: guesses that hold for exactly one row of the original.
        control: the same for as many rows of the control.
        gain: of the original over the control.
    """

    n: int
    original: int
    control: int
    gain: Risk


def singled_out(
    guesses: list[Guess], original: NDArray[Any], control: NDArray[Any], draws: np.random.Generator
) -> SingledOut:
    """Try guesses on two tables with as many rows each.

    Guesses about the same rows succeed together, so their number says too little about noise. The probability is that
    of random deals of all rows to the two sides, given the guesses; the interval is at least as wide as those deals
    spread.

    Raises:
        ValueError: the tables differ in length, or there are no guesses.
    """
    if len(original) != len(control) or not guesses:
        msg = f"expected guesses and two tables of one length, got {len(guesses)}, {len(original)}, {len(control)}"
        raise ValueError(msg)
    together = np.concatenate([original, control])
    held = [guess.holds(together) for guess in guesses]
    members = np.concatenate(held) if held else np.zeros(0, np.int64)
    owners = np.repeat(np.arange(len(guesses)), [len(rows) for rows in held])
    ours = np.arange(len(together)) < len(original)
    hits = _alone(members, owners, ours, len(guesses))
    dealt = np.array(
        [np.subtract(*_alone(members, owners, draws.permutation(ours), len(guesses))) for _ in range(DEALS)]
    )
    n, gap = len(guesses), hits[0] - hits[1]
    p = (1 + int((dealt >= gap).sum())) / (DEALS + 1)
    return SingledOut(n=n, original=hits[0], control=hits[1], gain=_gain(hits, n, float(dealt.std()), p))


def _alone(members: NDArray[Any], owners: NDArray[Any], ours: NDArray[np.bool_], n: int) -> tuple[int, int]:
    """Return how many guesses hold for exactly one row on either side."""
    mine = np.bincount(owners[ours[members]], minlength=n)
    theirs = np.bincount(owners[~ours[members]], minlength=n)
    return int((mine == 1).sum()), int((theirs == 1).sum())


def _gain(hits: tuple[int, int], n: int, spread: float, p: float) -> Risk:
    z = normal_quantile(0.975)
    rates = hits[0] / n, hits[1] / n
    independent = (sum(rate * (1 - rate) for rate in rates) / n) ** 0.5
    # a guess more or less on either side, so that no success at all is not taken for certainty
    half = z * max(independent, spread / n) + 1 / n
    rest = max(1 - rates[1], 1 / n)
    value = rates[0] - rates[1]
    return Risk(value=value / rest, low=max(-1.0, value - half) / rest, high=min(1.0, value + half) / rest, p=p)
