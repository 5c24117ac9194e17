"""Tests and corrections equal scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from redan.kernels.fairness.significance import (
    benjamini_hochberg,
    chi_square,
    fisher,
    holm,
    two_rates,
    upper_gamma,
    z_test,
)

small = st.integers(0, 40)


@settings(max_examples=150, deadline=None)
@given(small, small, small, small)
def test_fisher_equals_scipys(a: int, b: int, c: int, d: int) -> None:
    assert fisher(a, b, c, d) == pytest.approx(stats.fisher_exact([[a, b], [c, d]]).pvalue, rel=1e-6, abs=1e-12)


def test_fisher_is_exact_for_many_rows_too() -> None:
    table = [[4100, 5900], [4200, 5700]]
    assert fisher(*table[0], *table[1]) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 200), st.floats(0, 500))
def test_upper_gamma_equals_scipys(a: float, x: float) -> None:
    assert upper_gamma(a, x) == pytest.approx(special.gammaincc(a, x), rel=1e-9, abs=1e-12)


def test_chi_square_equals_scipys() -> None:
    cases, trials = np.array([30, 45, 12]), np.array([100, 110, 60])
    table = np.array([cases, trials - cases])
    assert chi_square(cases, trials) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    assert chi_square([0, 0], [5, 9]) == 1
    assert chi_square([3], [5]) == 1


def test_z_squared_is_chi_square() -> None:
    assert z_test((30, 100), (50, 120)) == pytest.approx(chi_square([30, 50], [100, 120]))
    assert two_rates((30, 100), (50, 120))[1] == "fisher"
    assert two_rates((3000, 100_000), (5000, 120_000))[1] == "z"
    assert z_test((0, 0), (1, 2)) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_equal_their_definitions(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist())
    ordered = sorted(range(len(p_values)), key=lambda i: p_values[i])
    worst = 0.0
    for rank, i in enumerate(ordered):
        worst = max(worst, min(1.0, (len(ordered) - rank) * p_values[i]))
        assert holm(p_values)[i] == pytest.approx(worst)
