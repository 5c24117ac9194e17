"""Thresholds keep the rate that they promise, and are refused where the rows cannot promise it."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import ShapeMismatch, UsageError
from redan.kernels.detectors.calibration import calibrate, judge, least_rate, rows_needed
from redan.kernels.statistics import clopper_pearson


@pytest.mark.parametrize("rate", [0.5, 0.05, 0.01, 0.001])
def test_rows_needed_is_the_least_number_that_bounds_the_rate(rate: float) -> None:
    n = rows_needed(rate)
    assert clopper_pearson(0, n)[1] <= rate < clopper_pearson(0, n - 1)[1]
    assert least_rate(n) == clopper_pearson(0, n)[1]


def test_too_few_rows_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(UsageError, match=r"0\.01 needs 368 benign rows .* got 367; 367 can guarantee 0\.01"):
        calibrate(np.arange(367.0), 0.01)
    assert calibrate(np.arange(368.0), 0.01).alarms == 0


def test_the_threshold_is_the_lowest_that_keeps_the_bound() -> None:
    scores = np.random.default_rng(0).permutation(2000).astype(float)
    found = calibrate(scores, 0.05)
    assert found.alarms == (scores > found.threshold).sum() > 0
    assert found.interval[1] <= 0.05 < clopper_pearson(found.alarms + 1, 2000)[1]


def test_the_guarantee_holds_over_many_draws() -> None:
    # the true rate of a threshold on uniform scores is 1 - threshold
    rng = np.random.default_rng(1)
    true = np.array([1 - calibrate(rng.random(300), 0.05).threshold for _ in range(120)])
    exceeded = int((true > 0.05).sum())
    low, _ = clopper_pearson(exceeded, 120, 0.999)
    assert low <= 0.025
    assert np.median(true) > 0.02, "the bound would be needlessly wide"


def test_ties_and_infinities_never_break_the_promise() -> None:
    assert calibrate(np.repeat([0.0, 1.0], 200), 0.05).alarms == 0
    some = np.r_[np.zeros(990), np.full(10, np.inf)]
    assert calibrate(some, 0.05).interval[1] <= 0.05
    with pytest.raises(ShapeMismatch, match="1 of 400 benign rows have no score"):
        calibrate(np.r_[np.zeros(399), np.nan], 0.05)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, float("nan")])
def test_a_rate_is_within_0_and_1(rate: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibrate(np.zeros(1000), rate)


def test_a_given_threshold_is_held_against_the_rows() -> None:
    assert judge(np.zeros(400), 0.0, 0.01).alarms == 0
    with pytest.raises(UsageError, match="40 of 400 benign rows raise an alarm"):
        judge(np.r_[np.zeros(360), np.ones(40)], 0.0, 0.05)
