"""Token buckets and budgets in memory."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.service.guards.budgets import RowBudgets
from redan.service.guards.rates import Rates


@given(
    st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 300)), min_size=1, max_size=120),
    st.floats(0.5, 2000),
    st.integers(1, 256),
    st.floats(0, 1e7),
)
@settings(max_examples=150, deadline=None)
def test_no_stretch_of_time_has_more_than_burst_and_rate_allow_and_nobody_below_is_refused(
    asked: list[tuple[float, int]], rate: float, burst: int, now: float
) -> None:
    """Beside a bucket of exact fractions: what has room there is taken, and what is taken has room."""
    rates, taken, left, before = Rates(rate, burst), [], Fraction(burst), Fraction(now)
    hair = max(Fraction(1, 50), Fraction(1, 500_000) * Fraction(rate))
    for gap, n in asked:
        now += gap
        left = min(Fraction(burst), left + (Fraction(now) - before) * Fraction(rate))
        before = Fraction(now)
        if rates.take("a", now, n):
            assert n <= left + hair
            left -= n
            taken.append((now, n))
        else:
            assert n > left - hair
    for i, (start, _) in enumerate(taken):
        total = 0
        for end, n in taken[i:]:
            total += n
            assert total <= burst + (end - start) * rate + 0.02


@pytest.mark.parametrize("now_s", [0.0, 1e6, 3e7])
def test_a_burst_of_thousands_of_rows_is_there_one_by_one_or_at_once(now_s: float) -> None:
    rates = Rates(1000, 4096)
    assert sum(rates.take("one by one", now_s) for _ in range(5000)) == 4096
    assert rates.take("at once", now_s, 4096)
    assert not rates.take("more", now_s, 4097)
    assert rates.take("more", now_s, 4096)


@pytest.mark.parametrize("n", [1, 60, 200])
def test_whoever_waits_as_long_as_told_is_not_refused_and_not_told_to_wait_too_long(n: int) -> None:
    rates = Rates(7.3, 200)
    for _ in range(200):
        rates.take("a", 50.0)
    wait_s = rates.retry_s("a", 50.0, n)
    assert wait_s - 1 < n / 7.3 <= wait_s or wait_s == 1
    assert not rates.take("a", 50.0 + wait_s - 1, n)
    assert rates.take("a", 50.0 + wait_s, n)


def test_newcomers_that_share_a_bucket_are_told_when_it_has_something_again() -> None:
    rates = Rates(0.5, 2, most_clients=1)
    assert [rates.take(name, 0.0) for name in ("a", "a", "b", "c", "d")] == [True, True, True, True, False]
    assert rates.retry_s("d", 0.0) == 2
    assert rates.take("d", 2.0)


def test_what_is_put_back_can_be_taken_again_and_nobody_else_has_it() -> None:
    rates = Rates(1, 3)
    for _ in range(10):
        assert rates.take("a", 1.0)
        rates.put_back("a")
    rates.put_back("nobody")
    assert [rates.take("a", 1.0) for _ in range(4)] == [True, True, True, False]
    assert [rates.take("b", 1.0) for _ in range(4)] == [True, True, True, False]


def test_a_burst_is_served_at_once_and_then_the_rate() -> None:
    rates = Rates(10, 20)
    assert sum(rates.take("a", 5.0) for _ in range(50)) == 20
    assert rates.retry_s("a", 5.0) == 1
    assert sum(rates.take("a", 5.0 + i / 100) for i in range(1, 201)) == 20
    assert rates.take("b", 7.0)


def test_a_flood_of_new_names_gets_one_allowance_and_disturbs_nobody() -> None:
    rates = Rates(1, 5, most_clients=10)
    for i in range(10):
        assert all(rates.take(f"old{i}", 100.0) for _ in range(5))
    assert sum(rates.take(f"new{i}", 100.0) for i in range(1000)) == 5
    assert not rates.take("old3", 100.0)
    assert len(rates) <= 11
    assert rates.n_shared > 0
    # once the old ones are idle with full buckets they leave, and newcomers have their own
    assert sum(rates.take("later", 110.0) for _ in range(9)) == 5


def test_whoever_is_in_debt_cannot_be_flushed_out_for_a_fresh_bucket() -> None:
    rates = Rates(0.1, 2, most_clients=50)
    assert [rates.take("eve", 0.0) for _ in range(3)] == [True, True, False]
    for i in range(5000):
        rates.take(f"n{i}", 1.0 + i / 1000)
    assert not rates.take("eve", 6.5)


def test_no_24_hours_have_more_rows_than_the_budget() -> None:
    budgets = RowBudgets(100)
    assert budgets.take("a", 60, 1000)
    assert not budgets.take("a", 41, 1010)
    assert budgets.take("a", 40, 1010)
    assert budgets.left("a", 1010) == 0
    assert not budgets.take("a", 1, 1024)
    assert budgets.take("a", 60, 1025)  # the first hour is older than a day now
    assert not budgets.take("a", 1, 1025)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), max_size=120))
@settings(max_examples=60, deadline=None)
def test_any_24_hours_keep_to_the_budget(asked: list[tuple[int, int]]) -> None:
    budgets, hour, taken = RowBudgets(50), 0, []
    for gap, rows in asked:
        hour += gap
        if budgets.take("a", rows, hour):
            taken.append((hour, rows))
    for start, _ in taken:
        assert sum(rows for at, rows in taken if start <= at <= start + 24) <= 50


def test_accounts_are_bounded_and_newcomers_share_one() -> None:
    budgets = RowBudgets(10, most_clients=5)
    assert all(budgets.take(f"c{i}", 10, 7) for i in range(5))
    assert sum(budgets.take(f"n{i}", 1, 7) for i in range(100)) == 10
    assert len(budgets) == 6
    assert budgets.take("n5", 10, 40)
    assert len(budgets) <= 6


def test_what_changed_is_told_once_and_again_when_it_was_not_kept() -> None:
    budgets = RowBudgets(10)
    budgets.take("a", 3, 5)
    counts = budgets.changed()
    assert counts == [("a", 5, 3)]
    assert budgets.changed() == []
    budgets.put_back(counts)
    assert budgets.changed() == [("a", 5, 3)]
    budgets.told({"a": 6})
    assert not budgets.take("a", 2, 5)
    assert budgets.take("a", 1, 5)
