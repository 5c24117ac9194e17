"""Attacks on synthetic data: a copy is caught, an independent sample is not, distances are those of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from tests.unit.kernels.synthetic.people import NAMES, people, tables

from redan.kernels.synthetic.comparing import fisher, risk
from redan.kernels.synthetic.linking import agrees, inferred, linked, linked_blindly
from redan.kernels.synthetic.rows import apart, mixed, nearest
from redan.kernels.synthetic.singling_out import (
    AT_LEAST,
    AT_MOST,
    EQUAL,
    Guess,
    blindly,
    by_columns,
    by_one_column,
    singled_out,
)

HALVES = ([0, 2, 4], [1, 3, 5])


def out(seed: int, n: int = 250, *, copied: float = 0.0):
    """Singling out with synthetic rows of which a share is copied from the original."""
    original = people(n, 3 * seed)
    fresh = people(n, 3 * seed + 2)
    kept = int(copied * n)
    synthetic = tuple(np.concatenate([a[:kept], b[kept:]]) for a, b in zip(original, fresh, strict=True))
    data = tables(original, people(n, 3 * seed + 1), synthetic)
    draws = np.random.default_rng(seed)
    guesses = by_one_column(data, data.sides[2], 150, draws) + by_columns(data, data.sides[2], 3, 150, draws)
    return singled_out(guesses, data.sides[0], data.sides[1], draws)


def links(seed: int, n: int = 250, *, copied: float = 0.0):
    """Linkability of the same."""
    original = people(n, 3 * seed)
    fresh = people(n, 3 * seed + 2)
    kept = int(copied * n)
    synthetic = tuple(np.concatenate([a[:kept], b[kept:]]) for a, b in zip(original, fresh, strict=True))
    data = tables(original, people(n, 3 * seed + 1), synthetic)
    counts = [int(linked(data, side, data.sides[2], HALVES, 1).sum()) for side in data.sides[:2]]
    return risk((counts[0], n), (counts[1], n))


def test_a_copy_is_caught_by_singling_out_linking_and_inference() -> None:
    assert out(1, copied=1.0).gain.p < 0.01
    assert out(1, copied=1.0).gain.low > 0.1
    found = links(1, copied=1.0)
    assert found.p < 1e-6
    assert found.low > 0.3
    original, control = people(200, 1), people(200, 2)
    data = tables(original, control, original)
    right = [inferred(data, side, data.sides[2]).mean(axis=0) for side in data.sides[:2]]
    assert (right[0][:3] > right[1][:3] + 0.3).all()


def test_half_a_copy_is_caught_too_and_is_worth_less() -> None:
    half, whole = links(2, copied=0.5), links(2, copied=1.0)
    assert half.p < 0.01
    assert half.value < whole.value


def test_independent_samples_alarm_no_more_often_than_chance() -> None:
    runs = 60
    alarms = [sum(one(seed).p < 0.01 for seed in range(10, 10 + runs)) for one in (_gain, links)]
    # at one alarm in a hundred, five or more of sixty come up once in four thousand times
    assert max(alarms) < 5, alarms


def _gain(seed: int):
    return out(seed, 120).gain


def test_the_probability_of_a_gain_is_fishers() -> None:
    for first, second in (((7, 10), (2, 12)), ((0, 5), (3, 9)), ((5, 5), (0, 5))):
        table = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
        assert fisher(first, second) == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_risk_is_what_the_control_leaves() -> None:
    found = risk((75, 100), (50, 100))
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    assert risk((100, 100), (100, 100)).p == pytest.approx(1)


def test_distances_are_gowers_and_missing_numbers_are_equal_to_each_other_only() -> None:
    numbers = (np.array([0.0, 10.0, np.nan]), np.array([5.0, np.nan]))
    words = (np.array(["a", "b", "a"], object), np.array(["a", "c"], object))
    data = mixed(("n", "w"), (numbers, words))
    assert data.numeric.tolist() == [True, False]
    assert apart(data, data.sides[0], data.sides[1], 0).tolist() == [[0.5, 1.0], [0.5, 1.0], [1.0, 0.0]]
    assert apart(data, data.sides[0], data.sides[1], 1).tolist() == [[0.0, 1.0], [1.0, 1.0], [0.0, 1.0]]


def test_columns_of_large_numbers_keep_their_differences() -> None:
    since_1970 = np.array([1.7e9, 1.7e9 + 10, 1.7e9 + 100])
    data = mixed(("time", "other"), ((since_1970, since_1970), (np.zeros(3), np.zeros(3))))
    assert apart(data, data.sides[0], data.sides[1], 0)[0] == pytest.approx([0, 0.1, 1])


def test_nearest_rows_are_those_of_a_full_sort() -> None:
    data = tables(people(40, 1), people(300, 2))
    total = sum(apart(data, data.sides[0], data.sides[1], place) for place in range(6))
    found = nearest(data, data.sides[0], data.sides[1], list(range(6)), 3)
    best = np.sort(total, axis=1)[:, :3]
    assert np.allclose(np.sort(np.take_along_axis(total, found, axis=1), axis=1), best)
    one = nearest(data, data.sides[0], data.sides[1], list(range(6)), 1)
    assert np.allclose(np.take_along_axis(total, one, axis=1), best[:, :1])


def test_guesses_hold_for_whom_they_say() -> None:
    rows = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 1.0], [np.nan, 1.0]])
    assert Guess(columns=(0,), kinds=(AT_MOST,), values=(2.0,)).holds(rows).tolist() == [0, 1]
    assert Guess(columns=(0, 1), kinds=(AT_LEAST, EQUAL), values=(2.0, 1.0)).holds(rows).tolist() == [1, 2]
    assert not len(Guess(columns=(0, 1), kinds=(EQUAL, EQUAL), values=(1.0, 1.0)).holds(rows))


def test_guesses_single_out_one_synthetic_row_and_are_no_more_than_asked() -> None:
    data = tables(people(200, 1), people(200, 2))
    draws = np.random.default_rng(0)
    several = by_columns(data, data.sides[0], 3, 50, draws)
    assert len(several) == 50
    assert all(len(guess.holds(data.sides[0])) == 1 for guess in several)
    assert len(by_one_column(data, data.sides[0], 10, draws)) == 10
    assert all(
        kind == EQUAL for g in several for c, kind in zip(g.columns, g.kinds, strict=True) if not data.numeric[c]
    )


def test_blind_guesses_have_the_same_form_and_succeed_less() -> None:
    data = tables(people(200, 1), people(200, 2))
    draws = np.random.default_rng(0)
    guesses = by_columns(data, data.sides[0], 3, 100, draws)
    blind = list(blindly(data, guesses, data.sides[0], draws))
    assert [g.columns for g in blind] == [g.columns for g in guesses]
    assert sum(len(g.holds(data.sides[0])) == 1 for g in blind) < 60


def test_tables_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        singled_out([Guess(columns=(0,), kinds=(EQUAL,), values=(1.0,))], np.zeros((2, 1)), np.zeros((3, 1)), None)


def test_rows_at_random_are_linked_as_often_as_arithmetic_says() -> None:
    draws = np.random.default_rng(0)
    assert linked_blindly(20_000, 50, 1, draws).mean() == pytest.approx(1 / 50, abs=0.005)
    assert linked_blindly(2_000, 20, 5, draws).mean() == pytest.approx(1 - 3003 / 15504, abs=0.03)


def test_numbers_are_guessed_within_five_percent_and_categories_exactly() -> None:
    data = tables(people(20, 1), people(20, 2))
    assert NAMES[0] == "age"
    assert agrees(data, np.array([104.0, 106.0, np.nan]), np.array([100.0, 100.0, np.nan]), 0).tolist() == [
        True,
        False,
        True,
    ]
    assert agrees(data, np.array([1.0, 2.0]), np.array([1.0, 1.0]), 3).tolist() == [True, False]
