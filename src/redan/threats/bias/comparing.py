"""Groups side by side: rates, gaps with their intervals, and whether chance explains them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.fairness.bootstrap import around, replicates
from redan.kernels.fairness.counts import against_rest
from redan.kernels.fairness.rates import RATES, cases_and_trials, gaps, judged, rates
from redan.kernels.fairness.significance import benjamini_hochberg, chi_square, holm, two_rates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from redan.kernels.fairness.counts import Tally

ODDS = ("tpr", "fpr")
"""Rates that equalised odds compares."""
SURE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One group against all others in one rate."""

    group: str
    rate: str
    difference: float
    p: float
    p_holm: float
    p_bh: float
    test: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """Groups of a column, or of an intersection of columns, with regard to one class.

    Attributes:
        columns: whose groups.
        names: of the g groups.
        favourable: class that counts as positive.
        tables: (g, 4) tn, fp, fn, tp.
        chosen: (g, rates) which rates are of enough rows.
        gaps: name → value; NaN where fewer than two groups could be compared.
        intervals: name → ends of the 95 % interval.
        p: that chance explains every gap between groups in the rates tested, corrected for their number.
        contrasts: each group against the others.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    favourable: int
    tables: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    gaps: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    p: float
    contrasts: tuple[Contrast, ...]

    @property
    def sure(self) -> bool:
        """Whether chance does not explain the gaps."""
        return self.p < SURE

    @property
    def too_small(self) -> tuple[str, ...]:
        """Groups of which some rate of equalised odds is of too few rows."""
        places = [RATES.index(rate) for rate in ODDS]
        return tuple(name for name, row in zip(self.names, self.chosen, strict=True) if not row[places].all())


def compare(
    counted: Tally, favourable: Sequence[int], tested: Sequence[str], *, least: int, n_resamples: int, seed: int
) -> Compared:
    """Compare groups with regard to each class, and return the one where equalised odds lie furthest apart.

    Args:
        counted: counts by group.
        favourable: classes that count as positive in turn.
        tested: rates that the p-value is about.
        least: rows that a rate must be of.
        n_resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    found = {one: against_rest(counted.counts, one) for one in favourable}
    values = {one: _gaps(tables, judged(tables, least)) for one, tables in found.items()}
    worst = max(found, key=lambda one: np.nan_to_num(values[one]["equalised_odds_difference"], nan=-1.0))
    tables = found[worst]
    chosen = judged(tables, least)
    overall = [
        _overall(found[one], judged(found[one], least)[:, RATES.index(rate)], rate)
        for one, rate in product(found, tested)
    ]
    p = min(holm(overall))
    return Compared(
        columns=counted.columns,
        names=counted.names(),
        favourable=worst,
        tables=tables,
        chosen=chosen,
        gaps=values[worst],
        intervals=_intervals(tables, chosen, values[worst], sure=p < SURE, n_resamples=n_resamples, seed=seed),
        p=p,
        contrasts=_contrasts(counted.names(), tables, chosen, tested),
    )


def _gaps(tables: NDArray[Any], chosen: NDArray[np.bool_]) -> dict[str, float]:
    return {name: float(value) for name, value in gaps(rates(tables), chosen).items()}


def _overall(tables: NDArray[Any], chosen: NDArray[np.bool_], rate: str) -> float:
    cases, trials = (part[chosen, RATES.index(rate)].astype(np.int64) for part in cases_and_trials(tables))
    if len(cases) == 2:
        return two_rates((int(cases[0]), int(trials[0])), (int(cases[1]), int(trials[1])))[0]
    return chi_square(cases, trials)


def _intervals(
    tables: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    values: dict[str, float],
    *,
    sure: bool,
    n_resamples: int,
    seed: int,
) -> dict[str, tuple[float, float]]:
    kept = chosen.any(axis=1)
    if kept.sum() < 2:
        return {}
    drawn = replicates(tables[kept], lambda some: gaps(rates(some), chosen[kept]), n_resamples=n_resamples, seed=seed)
    beyond = {"equalised_odds": sure}
    beyond |= {rate: _overall(tables, chosen[:, i], rate) < SURE for i, rate in enumerate(RATES)}
    found = {}
    for name, value in values.items():
        if not np.isnan(value):
            low, high = around(value, drawn[name])
            # what a test cannot tell from chance must not exclude it
            if not beyond[name.rpartition("_")[0]]:
                low, high = (low, 1.0) if name.endswith("ratio") else (0.0, high)
            found[name] = (low, high)
    return found


def _contrasts(
    names: tuple[str, ...], tables: NDArray[np.int64], chosen: NDArray[np.bool_], tested: Sequence[str]
) -> tuple[Contrast, ...]:
    cases, trials = (part.astype(np.int64) for part in cases_and_trials(tables))
    rows = []
    for rate in tested:
        place = RATES.index(rate)
        some = np.flatnonzero(chosen[:, place])
        if len(some) < 2:
            continue
        hits, of = int(cases[some, place].sum()), int(trials[some, place].sum())
        for i in some.tolist():
            own = (int(cases[i, place]), int(trials[i, place]))
            rest = (hits - own[0], of - own[1])
            rows.append((names[i], rate, own[0] / own[1] - rest[0] / rest[1], *two_rates(own, rest)))
    p_values = [row[3] for row in rows]
    corrected = zip(rows, holm(p_values), benjamini_hochberg(p_values), strict=True)
    return tuple(
        Contrast(group=name, rate=rate, difference=gap, p=p, p_holm=p_holm, p_bh=p_bh, test=test)
        for (name, rate, gap, p, test), p_holm, p_bh in corrected
    )
