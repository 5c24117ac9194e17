"""Intervals that respect inputs which are asked many times."""

from __future__ import annotations

import numpy as np
import pytest

from redan.kernels.clustered import paired, share
from redan.kernels.statistics import wilson


def test_yes_or_no_answers_give_nearly_the_interval_of_wilson() -> None:
    each = np.array([1.0] * 70 + [0.0] * 30)
    found = share(each)
    low, high = wilson(70, 100)
    assert found.value == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_equal_shares_are_no_more_certain_than_yes_or_no_answers() -> None:
    found = share(np.ones(20))
    assert (found.low, found.high) == pytest.approx(wilson(20, 20))
    half = share(np.full(20, 0.5))
    assert half.high - half.low > 0.3


def test_order_of_the_inputs_changes_nothing() -> None:
    each = np.random.default_rng(0).random(101)
    assert share(each) == share(each[::-1])


def test_many_answers_about_few_inputs_do_not_make_the_interval_narrow() -> None:
    inputs = np.array([1.0, 0.0] * 10)
    repeated = np.repeat(inputs[:, None], 1000, axis=1).mean(axis=1)
    found = share(repeated)
    assert found.n == 20
    assert found.high - found.low > 0.35


@pytest.mark.parametrize(("a", "b", "n"), [(8.0, 2.0, 30), (0.5, 0.5, 50), (30.0, 1.0, 24), (2.0, 2.0, 100)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(a: float, b: float, n: int) -> None:
    generator = np.random.default_rng(1)
    truth, rounds = a / (a + b), 1500
    # each input has a chance of its own and is asked 16 times
    chances = generator.beta(a, b, size=(rounds, n))
    each = generator.binomial(16, chances) / 16
    covered = sum(found.low <= truth <= found.high for found in map(share, each))
    assert covered / rounds > 0.93


def test_a_paired_difference_is_narrower_than_two_separate_shares() -> None:
    generator = np.random.default_rng(2)
    hard = generator.random(60) < 0.5
    clean, moved = hard.astype(float), hard * 0.8
    found = paired(clean, moved)
    apart = (share(clean).high - share(clean).low) + (share(moved).high - share(moved).low)
    assert found.low > 0
    assert found.high - found.low < apart / 2


def test_no_difference_is_not_beyond_noise() -> None:
    found = paired(np.ones(50), np.ones(50))
    assert found.value == 0
    assert found.low < 0 < found.high


def test_no_inputs_say_nothing_and_shares_beyond_one_are_refused() -> None:
    assert share(np.zeros(0)).n == 0
    with pytest.raises(ValueError, match="within"):
        share(np.array([1.2]))
