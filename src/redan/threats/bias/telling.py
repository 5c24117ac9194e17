"""What a comparison of groups says to a reader: quantities, curves and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.finding import Quantity, Series, Table
from redan.kernels.fairness.rates import RATES, cases_and_trials, rates
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from redan.threats.bias.comparing import Compared

MOST_GROUPS = 60
"""Rows of a table, at most; the largest groups are shown."""
SHOWN = ("selection_rate", "tpr", "fpr", "ppv", "accuracy")
"""Rates that have a curve with intervals; the table has all."""
GAPS = (
    ("equalised_odds_difference", "equalised_odds_difference"),
    ("equal_opportunity_difference", "tpr_difference"),
    ("demographic_parity_difference", "selection_rate_difference"),
    ("selection_ratio", "selection_rate_ratio"),
    ("predictive_parity_difference", "ppv_difference"),
    ("accuracy_difference", "accuracy_difference"),
)
"""The field's name of a gap, and ours."""


def quantities(found: Compared, *, partial: bool) -> tuple[Quantity, ...]:
    """Return the gaps that could be measured, equalised odds first."""
    n = int(found.tables[found.chosen.any(axis=1)].sum())
    told = []
    for name, ours in GAPS:
        if ours in found.intervals:
            low, high = found.intervals[ours]
            told.append(
                Quantity(
                    name=name,
                    value=found.gaps[ours],
                    unit="fraction",
                    n=n,
                    low=low,
                    high=high,
                    better="higher" if ours.endswith("ratio") else "lower",
                    partial=partial,
                )
            )
    return tuple(told)


def curves(found: Compared) -> tuple[Series, ...]:
    """Return the main rates by group, each with its n and 95 % interval; groups too small for one are left out."""
    cases, trials = cases_and_trials(found.tables)
    told = []
    for name in SHOWN:
        place = RATES.index(name)
        rows = [row for row in _largest(found) if found.chosen[row, place]]
        counts = [(int(cases[row, place]), int(trials[row, place])) for row in rows]
        ends = [wilson(hits, n) for hits, n in counts]
        if rows:
            told.append(
                Series(
                    name=f"{name}_by_group",
                    x=tuple(found.names[row] for row in rows),
                    y=tuple(hits / n for hits, n in counts),
                    low=tuple(low for low, _ in ends),
                    high=tuple(high for _, high in ends),
                    n=tuple(n for _, n in counts),
                    x_unit="group",
                    y_unit="fraction",
                )
            )
    return tuple(told)


def tables(found: Compared) -> tuple[Table, ...]:
    """Return every rate by group, and each group against the others with its p-values."""
    values = rates(found.tables)
    rows = [
        (
            found.names[row],
            int(found.tables[row].sum()),
            *(round(float(values[row, i]), 4) if found.chosen[row, i] else None for i in range(len(RATES))),
        )
        for row in _largest(found)
    ]
    shown = {found.names[row] for row in _largest(found)}
    tests = [
        (c.group, c.rate, round(c.difference, 4), c.test, _p(c.p), _p(c.p_holm), _p(c.p_bh))
        for c in found.contrasts
        if c.group in shown
    ]
    heads = ("group", "rate", "above the others", "test", "p", "p (Holm)", "p (Benjamini-Hochberg)")
    return (
        Table(name="rates_by_group", columns=("group", "rows", *RATES), rows=tuple(rows), draw="heat"),
        Table(name="groups_against_others", columns=heads, rows=tuple(tests)),
    )


def not_tested(found: Compared, least: int) -> str:
    """Say which groups were too small, or nothing."""
    small = found.too_small
    if not small:
        return ""
    named = ", ".join(small[:5]) + (f" and {len(small) - 5} more" if len(small) > 5 else "")
    return (
        f" Not tested for true or false positives, since fewer than {least} rows would decide: {named}; that is not "
        "the same as fair."
    )


def _largest(found: Compared) -> list[int]:
    """Return the places of the largest groups, in the order of their names."""
    sizes = found.tables.sum(axis=1)
    return sorted(sorted(range(len(sizes)), key=lambda row: -int(sizes[row]))[:MOST_GROUPS])


def _p(value: float) -> float:
    return float(f"{value:.3g}")
