"""Private answers: right on average, as noisy as they say, bounded, and careful with people of many rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from redan.core.errors import UsageError
from redan.kernels.dp.queries.asking import Query
from redan.kernels.dp.queries.mechanisms import answer, first_rows

AGES = np.random.default_rng(0).integers(18, 90, 2000).astype(np.float64)
RUNS = {0.0: (100, 13), 1e-6: (20, 5)}
"""δ → how many answers, and the 99.9 % quantile of a binomial with so many trials and rate 0.05."""


@pytest.mark.parametrize("delta", [0.0, 1e-6])
@pytest.mark.parametrize(
    ("query", "truth"),
    [
        ({"kind": "count"}, 2000.0),
        ({"kind": "sum", "column": "age", "bounds": (0, 120)}, AGES.sum()),
        ({"kind": "mean", "column": "age", "bounds": (0, 120)}, AGES.mean()),
        ({"kind": "histogram", "column": "age", "bounds": (0, 120), "bins": 3}, float((AGES < 40).sum())),
    ],
    ids=lambda v: v["kind"] if isinstance(v, dict) else "",
)
def test_the_interval_holds_the_truth_as_often_as_it_says(query: dict[str, object], truth: float, delta: float) -> None:
    runs, most_misses = RUNS[delta]
    asked = Query(epsilon=0.5, delta=delta, **query)  # type: ignore[arg-type]  # loose keywords of a test
    bars = [answer(asked, AGES).bars[0] for _ in range(runs)]

    misses = sum(not bar.low <= truth <= bar.high for bar in bars)
    assert misses <= most_misses
    deviation = np.std([bar.value for bar in bars])
    assert np.mean([bar.value for bar in bars]) == pytest.approx(truth, abs=5 * deviation / math.sqrt(runs))
    assert deviation > 0


def test_the_noise_of_a_count_is_laplace_of_scale_one_over_epsilon() -> None:
    values = [answer(Query(kind="count", epsilon=0.25), np.zeros(50)).bars[0].value for _ in range(600)]

    expected = 2 * math.exp(-0.25) / (1 - math.exp(-0.25)) ** 2  # variance of the discrete Laplace distribution
    assert np.var(values) == pytest.approx(expected, rel=0.4)


def test_noise_grows_with_the_rows_that_one_person_may_have() -> None:
    one, ten = (answer(Query(kind="count", epsilon=1.0, rows_per_person=k), AGES).bars[0] for k in (1, 10))

    assert (ten.high - ten.low) > 8 * (one.high - one.low)


def test_values_beyond_the_bounds_are_moved_to_them() -> None:
    asked = Query(kind="sum", column="x", bounds=(0, 1), epsilon=50.0)

    assert answer(asked, np.array([1e300, -5.0, 0.5] * 100)).bars[0].value == pytest.approx(150, abs=2)


def test_a_sum_with_bounds_of_both_signs_is_right() -> None:
    asked = Query(kind="sum", column="x", bounds=(-2, 1), epsilon=50.0)

    assert answer(asked, np.array([-2.0, 0.75] * 400)).bars[0].value == pytest.approx(-500, abs=2)


def test_a_mean_of_nobody_is_an_answer_within_the_bounds() -> None:
    bar = answer(Query(kind="mean", column="x", bounds=(10, 20), epsilon=1.0), np.array([])).bars[0]

    assert 10 <= bar.low <= bar.value <= bar.high <= 20


def test_a_histogram_of_words_counts_what_is_in_no_category_as_other() -> None:
    words = np.array(["a"] * 300 + ["b"] * 200 + ["z"] * 100, dtype=object)
    found = answer(Query(kind="histogram", column="w", categories=("a", "b"), epsilon=20.0), words)

    assert [bar.name for bar in found.bars] == ["a", "b", "other"]
    assert [bar.value for bar in found.bars] == pytest.approx([300, 200, 100], abs=3)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_rank_of_a_quantile_is_off_by_no_more_than_it_says(share: float) -> None:
    values = np.arange(1000.0)
    asked = Query(kind="quantile", column="x", bounds=(0, 1000), share=share, candidates=201, epsilon=0.5)
    found = [answer(asked, values) for _ in range(60)]

    assert sum(abs(a.bars[0].value - share * 1000) > (a.rank_error or 0) + 5 for a in found) <= 10
    assert len({a.bars[0].value for a in found}) > 1


def test_first_rows_keeps_so_many_of_each_person_and_leaves_the_others_alone() -> None:
    people = np.array(["a", "b", "a", "a", "c", "b"])

    kept = first_rows(people, 2)
    assert kept.tolist() == [True, True, True, False, True, True]
    without = people != "b"
    assert first_rows(people[without], 2).tolist() == kept[without].tolist()
    assert first_rows(np.array([]), 1).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "count", "epsilon": 0.0},
        {"kind": "count", "epsilon": 1.0, "delta": 1.0},
        {"kind": "count", "epsilon": 1.0, "column": "x"},
        {"kind": "sum", "epsilon": 1.0, "column": "x"},
        {"kind": "sum", "epsilon": 1.0, "column": "x", "bounds": (1, 0)},
        {"kind": "mean", "epsilon": 1.0, "column": "x", "bounds": (0, math.inf)},
        {"kind": "histogram", "epsilon": 1.0, "column": "x"},
        {"kind": "histogram", "epsilon": 1.0, "column": "x", "categories": ("a", "a")},
        {"kind": "histogram", "epsilon": 1.0, "column": "x", "bins": 3},
        {"kind": "quantile", "epsilon": 1.0, "column": "x", "bounds": (0, 1), "share": 1.0},
        {"kind": "quantile", "epsilon": 1.0, "column": "x", "bounds": (0, 1), "delta": 1e-6},
        {"kind": "count", "epsilon": 1.0, "rows_per_person": 0},
    ],
)
def test_a_question_without_private_answer_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Query(**wrong)  # type: ignore[arg-type]  # loose keywords of a test
