"""Classes, diversity and closeness have the values that their papers' definitions give by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, UsageError
from redan.kernels.anonymity import class_sizes, classes, closeness, codes_of, diversity, reach, small_rows
from redan.kernels.anonymity.ladders import ladder, ranges


def of(*columns: list[Any]) -> NDArray[np.int64]:
    return classes([codes_of(np.array(column)) for column in columns])


def test_rows_that_look_alike_are_one_class() -> None:
    found = of([1, 1, 2, 2, 2], ["a", "a", "a", "b", "b"])
    assert sorted(class_sizes(found).tolist()) == [1, 2, 2]
    assert small_rows(found, 2).tolist() == [False, False, True, False, False]


def test_missing_numbers_are_one_value() -> None:
    assert class_sizes(of([float("nan"), float("nan"), 1.0])).tolist() == [1, 2]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeMismatch):
        classes([codes_of(np.array([1])), codes_of(np.array([1, 2]))])
    with pytest.raises(ShapeMismatch):
        classes([])


def test_diversity_is_that_of_the_least_diverse_class() -> None:
    found = diversity(of([0, 0, 0, 0, 1, 1]), codes_of(np.array(["a", "b", "c", "d", "x", "x"])))
    assert (found.distinct, found.revealed_rows) == (1, 2)
    assert found.entropy == pytest.approx(1)
    assert diversity(of([0] * 4), codes_of(np.array(list("abcd")))).entropy == pytest.approx(4)


def test_closeness_is_that_of_the_salaries_in_the_paper() -> None:
    """Li et al. 2007, section 4.2: nine salaries, and a class that has the three lowest of them."""
    salaries = codes_of(np.arange(3, 12))
    found = of([0, 0, 0, 1, 1, 1, 2, 2, 2])
    first = closeness(found, salaries, ordered=True)
    assert first == pytest.approx(0.375)
    spread = of([0, 1, 2, 1, 2, 0, 2, 0, 1])
    assert closeness(spread, salaries, ordered=True) == pytest.approx(0.167, abs=0.09)
    assert closeness(found, salaries, ordered=False) == pytest.approx(2 / 3)


def test_a_column_of_one_value_is_close() -> None:
    assert closeness(of([0, 1]), codes_of(np.array([7, 7])), ordered=True) == 0


def test_closeness_does_not_depend_on_how_many_classes_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    draws = np.random.default_rng(0)
    found, values = codes_of(draws.integers(0, 50, 500)), codes_of(draws.integers(0, 9, 500))
    whole = closeness(found, values, ordered=True)
    monkeypatch.setattr(sys.modules["redan.kernels.anonymity.closeness"], "MOST_CELLS", 20)
    assert closeness(found, values, ordered=True) == whole


def test_numbers_become_ranges_that_hold_them() -> None:
    column = np.array([1.0, 2.0, 3.0, 4.0, float("nan")])
    assert ranges(column, 2).tolist() == ["1", "2..4", "2..4", "2..4", ""]
    for value, name in zip(column[:4], ranges(column, 2)[:4], strict=True):
        low, _, high = name.partition("..")
        assert float(low) <= value <= float(high or low)


def test_dates_become_months_and_years() -> None:
    steps = ladder(np.array(["2020-01-02", "2020-01-03", "2020-02-01", "2021-01-01"]))
    assert [sorted({*step}) for step in steps[1:]] == [["2020-01", "2020-02", "2021-01"], ["2020", "2021"], ["*"]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(2, 12))
def test_what_is_reached_has_k_rows_in_every_class(seed: int, k: int) -> None:
    draws = np.random.default_rng(seed)
    columns = {
        "age": draws.integers(18, 90, 200),
        "city": draws.choice(np.array(["Bern", "Basel", "Chur", "Zug"]), 200, p=[0.6, 0.3, 0.09, 0.01]),
    }
    found = reach(columns, k)
    kept = classes([codes_of(column[found.kept]) for column in found.columns.values()])
    assert class_sizes(kept).min() >= k
    assert found.kept.mean() >= 0.95
    assert all(0 <= each <= 1 for each in found.losses.values())


def test_a_k_that_cannot_be_is_refused() -> None:
    for columns, k in (({}, 2), ({"a": np.arange(3)}, 1), ({"a": np.arange(3)}, 4)):
        with pytest.raises(UsageError):
            reach(columns, k)
