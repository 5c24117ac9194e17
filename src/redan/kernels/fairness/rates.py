"""Rates of a confusion table and how far groups lie apart in them.

Source: Hardt, Price & Srebro, "Equality of opportunity in supervised learning", NIPS 2016, definitions 2.1 and 2.2
(equalised odds, equal opportunity); Chouldechova, "Fair prediction with disparate impact", Big Data 5, 2017 (predictive
parity); Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D (four-fifths rule).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARTS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "selection_rate": ((0, 1, 0, 1), (1, 1, 1, 1)),
    "tpr": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "fpr": ((0, 1, 0, 0), (1, 1, 0, 0)),
    "fnr": ((0, 0, 1, 0), (0, 0, 1, 1)),
    "tnr": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "ppv": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "base_rate": ((0, 0, 1, 1), (1, 1, 1, 1)),
}
"""Rate → which of tn, fp, fn, tp are its cases, and of which."""
RATES = tuple(_PARTS)
"""Names of the rates, in the order of the last axis of what `rates` returns."""
_CASES = np.array([cases for cases, _ in _PARTS.values()], np.float64).T
_TRIALS = np.array([trials for _, trials in _PARTS.values()], np.float64).T
TPR, FPR = RATES.index("tpr"), RATES.index("fpr")


def cases_and_trials(tables: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many rows count towards each rate and of how many, both (…, rates), from tables (…, 4)."""
    counts = np.asarray(tables, np.float64)
    return counts @ _CASES, counts @ _TRIALS


def rates(tables: NDArray[Any]) -> NDArray[np.float64]:
    """Return rates (…, rates) of confusion tables (…, 4) tn, fp, fn, tp; NaN where a rate is of nothing."""
    cases, trials = cases_and_trials(tables)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(cases / trials)


def judged(tables: NDArray[Any], least: int) -> NDArray[np.bool_]:
    """Tell for each group and rate whether it is of at least so many rows: (…, groups, rates) from (…, groups, 4)."""
    return np.asarray(cases_and_trials(tables)[1] >= least)


def gaps(values: NDArray[Any], chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    """Return how far groups lie apart.

    Args:
        values: (…, groups, rates) as from `rates`.
        chosen: (groups, rates): which are compared; a rate with fewer than two groups is not.

    Returns:
        ``{rate}_difference`` (highest minus lowest) and ``{rate}_ratio`` (lowest over highest) of each rate,
        ``equalised_odds_difference`` (the larger of those of tpr and fpr) and ``equalised_odds_ratio`` (the smaller),
        each (…); NaN where nothing could be compared.
    """
    enough = chosen.sum(axis=0) >= 2
    low = np.where(chosen, values, np.inf).min(axis=-2)
    high = np.where(chosen, values, -np.inf).max(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(enough, high - low, np.nan)
        ratio = np.where(enough, low / high, np.nan)
    found: dict[str, NDArray[np.float64]] = {
        "equalised_odds_difference": np.fmax(difference[..., TPR], difference[..., FPR]),
        "equalised_odds_ratio": np.fmin(ratio[..., TPR], ratio[..., FPR]),
    }
    for i, name in enumerate(RATES):
        found[f"{name}_difference"] = difference[..., i]
        found[f"{name}_ratio"] = ratio[..., i]
    return found
