"""Means of groups: exact values, tests that keep their level, gaps that are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from redan.kernels.fairness.numbers import against_others, gap, gap_resamples, means


def test_means_and_errors_are_those_of_each_group() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=300), rng.integers(0, 3, 300)
    found = means(values, groups, 4)
    for g in range(3):
        own = values[groups == g]
        assert found.mean[g] == pytest.approx(own.mean())
        assert found.error[g] == pytest.approx(own.std(ddof=1) / len(own) ** 0.5)
    assert found.n[3] == 0
    assert gap(found, np.array([True, False, False, False])) != gap(found, np.ones(4, bool) & (found.n > 0))


def test_the_gap_is_in_deviations_within_groups() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat([0, 1], 5000)
    found = means(rng.normal(size=10_000) * 3 + 1.5 * groups, groups, 2)
    assert gap(found, np.array([True, True])) == pytest.approx(0.5, abs=0.06)
    drawn = gap_resamples(found, np.array([True, True]), 2000, np.random.default_rng(0))
    assert drawn.std() == pytest.approx((2 / 5000) ** 0.5, rel=0.1)


def test_the_test_is_welchs_for_large_groups() -> None:
    rng = np.random.default_rng(2)
    values, member = rng.normal(size=900), rng.random(900) < 0.3
    values[member] = values[member] * 2 + 0.2
    moved, p = against_others(values, member)
    theirs = stats.ttest_ind(values[member], values[~member], equal_var=False)
    assert moved == pytest.approx(values[member].mean() - values[~member].mean())
    assert p == pytest.approx(theirs.pvalue, rel=0.05)


def test_fair_groups_are_accused_no_more_often_than_the_level() -> None:
    rng = np.random.default_rng(3)
    found = [against_others(rng.exponential(size=200), np.arange(200) < 60)[1] < 0.05 for _ in range(600)]
    assert sum(found) <= 600 * 0.05 + 4 * (600 * 0.05) ** 0.5


def test_constant_answers_have_no_gap_and_no_evidence() -> None:
    found = means(np.ones(50), np.arange(50) % 2, 2)
    assert gap(found, np.array([True, True])) == 0
    assert against_others(np.ones(50), np.arange(50) % 2 == 0) == (0.0, 1.0)
