"""One-run audit: its probabilities against exact ones, no alarm without a leak, an alarm with one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from redan.kernels.dp.audit import Guesses, epsilon_shown, guess, guesses_of_each_kind, p_value


def written_out(found: Guesses, epsilon: float, delta: float) -> float:
    """Theorem 5.2 with its maximum as a loop over exact binomial probabilities."""
    rate = 1 / (1 + math.exp(-epsilon))
    tail = float(binom.sf(found.right - 1, found.made, rate))
    terms = [
        float(binom.cdf(found.right - 1, found.made, rate) - binom.cdf(found.right - i - 1, found.made, rate)) / i
        for i in range(1, found.right + 1)
    ]
    return min(1.0, tail + 2 * found.canaries * delta * max(terms, default=0.0))


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
@pytest.mark.parametrize("epsilon", [0.0, 0.7, 3.0])
@pytest.mark.parametrize(("made", "right"), [(100, 90), (100, 50), (20, 20), (20, 0), (500, 300)])
def test_the_p_value_is_the_theorem_written_out(made: int, right: int, epsilon: float, delta: float) -> None:
    found = Guesses(canaries=1000, made=made, right=right)

    assert p_value(found, epsilon, delta) == pytest.approx(written_out(found, epsilon, delta), rel=1e-8, abs=1e-12)


def test_the_bound_is_what_another_implementation_gives() -> None:
    # measured beside Privacy Meter's function for the same numbers
    assert epsilon_shown(Guesses(canaries=1000, made=100, right=90), 1e-5) == pytest.approx(1.62614, abs=2e-5)


def test_the_bound_is_where_the_p_value_crosses_the_level() -> None:
    found = Guesses(canaries=1000, made=200, right=170)
    shown = epsilon_shown(found, 1e-6)

    assert p_value(found, shown, 1e-6) <= 0.05 < p_value(found, shown + 1e-6, 1e-6)


def test_guessing_everything_right_shows_no_more_than_the_number_of_guesses_allows() -> None:
    found = Guesses(canaries=1000, made=200, right=200)

    assert epsilon_shown(found, 0.0) == pytest.approx(-math.log(0.05 ** (-1 / 200) - 1), rel=1e-6)


def test_a_smaller_delta_never_shows_less() -> None:
    found = Guesses(canaries=500, made=100, right=85)
    shown = [epsilon_shown(found, delta) for delta in (1e-2, 1e-4, 1e-6, 0.0)]

    assert shown == sorted(shown)


def test_canaries_that_are_told_apart_are_counted() -> None:
    included = np.random.default_rng(0).integers(0, 2, 200).astype(bool)
    found = guess(included.astype(float), included)

    assert (found.made, found.right) == (40, 40)
    assert guess(-included.astype(float), included).right == 0


def test_equal_scores_say_nothing() -> None:
    included = np.random.default_rng(1).integers(0, 2, 2000).astype(bool)

    assert epsilon_shown(guess(np.zeros(2000), included), 1e-6) == 0.0


@pytest.mark.parametrize(("canaries", "expected"), [(10, 1), (19, 1), (1000, 100)])
def test_the_number_of_guesses_follows_from_the_number_of_canaries_alone(canaries: int, expected: int) -> None:
    assert guesses_of_each_kind(canaries) == expected


@pytest.mark.parametrize(
    ("scores", "included"),
    [(np.zeros(5), np.zeros(5, bool)), (np.zeros(20), np.zeros(19, bool)), ([math.nan] * 20, [0] * 20)],
)
def test_too_little_or_nonsense_is_refused(scores: np.ndarray, included: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 10 canaries"):
        guess(np.asarray(scores), np.asarray(included, bool))


def test_a_training_without_leak_is_seldom_accused() -> None:
    draws, runs = np.random.default_rng(5), 300
    alarms = sum(
        epsilon_shown(guess(draws.normal(size=500), draws.integers(0, 2, 500).astype(bool)), 1e-5) > 0
        for _ in range(runs)
    )

    assert alarms <= 22


def test_the_bound_stays_below_an_epsilon_that_holds() -> None:
    # randomised response is exactly (ε, 0): each canary's answer is its coin with probability e^ε / (1 + e^ε)
    draws, epsilon, over = np.random.default_rng(6), 1.0, 0
    for _ in range(200):
        included = draws.integers(0, 2, 1000).astype(bool)
        told = np.where(draws.random(1000) < 1 / (1 + math.exp(-epsilon)), included, ~included)
        shown = epsilon_shown(guess(told + draws.normal(0, 1e-3, 1000), included), 0.0)
        over += shown > epsilon

    assert over <= 18  # 99.9 % quantile of a binomial with n = 200 and rate 0.05 is 20
    assert shown > 0.3
