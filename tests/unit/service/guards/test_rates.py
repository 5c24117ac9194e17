"""Token buckets and budgets in memory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from redan.service.guards.budgets import RowBudgets
from redan.service.guards.rates import Rates


@given(
    st.lists(st.floats(0, 0.3, allow_nan=False), min_size=1, max_size=200),
    st.floats(0.5, 50),
    st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_no_stretch_of_time_has_more_than_burst_and_rate_allow(gaps: list[float], rate: float, burst: int) -> None:
    rates, now, taken = Rates(rate, burst), 1000.0, []
    for gap in gaps:
        now += gap
        if rates.take("a", now):
            taken.append(now)
    for i, start in enumerate(taken):
        for n, end in enumerate(taken[i:], start=1):
            assert n <= burst + (end - start) * rate + 1e-3


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
