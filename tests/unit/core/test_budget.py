"""Budgets: what may be written, how parts and the whole add up, and why to stop."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.core.budget import Budget, Limits, parse_limits
from redan.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits()),
        ("90", Limits(wall_s=90.0)),
        ("90s", Limits(wall_s=90.0)),
        (" 90 s ", Limits(wall_s=90.0)),
        ("250ms", Limits(wall_s=0.25)),
        ("1.5m", Limits(wall_s=90.0)),
        ("2h", Limits(wall_s=7200.0)),
        ("5m wall", Limits(wall_s=300.0)),
        ("90s cpu", Limits(cpu_s=90.0)),
        ("0s", Limits(wall_s=0.0)),
        ("1 query", Limits(queries=1)),
        ("5000 queries", Limits(queries=5000)),
        ("10k queries", Limits(queries=10_000)),
        ("1.5k queries", Limits(queries=1500)),
        ("2M tokens", Limits(tokens=2_000_000)),
        ("2m, 10k queries", Limits(wall_s=120.0, queries=10_000)),
        ("2m cpu,3m,4 queries , 5 tokens", Limits(cpu_s=120.0, wall_s=180.0, queries=4, tokens=5)),
    ],
)
def test_what_a_budget_may_be(text: str, limits: Limits) -> None:
    assert parse_limits(text) == limits


@pytest.mark.parametrize(
    "text", ["fast", "5 minutes", "-5s", "5s queries", "10ms tokens", "10k", "3M cpu", "1e3s", "5x", "9" * 400 + "s"]
)
def test_what_is_no_budget_is_said_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is no budget") as caught:
        parse_limits(text)
    assert caught.value.hint


@given(st.text(max_size=12))
def test_any_text_is_limits_or_a_usage_error(text: str) -> None:
    try:
        found = parse_limits(text)
    except UsageError:
        return
    assert all(value is None or value >= 0 for value in (found.cpu_s, found.wall_s, found.queries, found.tokens))


def test_without_limits_nothing_stops() -> None:
    budget = Budget()
    budget.charge(queries=10**9, tokens=10**9)
    assert budget.stop() is None
    assert budget.left_queries() is None


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(queries=3), "the budget of 3 queries is spent"),
        (Limits(tokens=3), "the budget of 3 tokens is spent"),
    ],
)
def test_a_count_stops_when_it_is_reached(limits: Limits, reason: str) -> None:
    budget = Budget(limits=limits)
    budget.charge(queries=2, tokens=2)
    assert budget.stop() is None
    budget.charge(queries=1, tokens=1)
    assert budget.stop() == reason


def test_time_stops() -> None:
    wall = Budget(limits=Limits(wall_s=0.01))
    assert wall.stop() is None
    time.sleep(0.02)
    assert wall.stop() == "the budget of 0.01 wall seconds is spent"
    cpu = Budget(limits=Limits(cpu_s=0.01))
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    assert cpu.stop() == "the budget of 0.01 CPU seconds is spent"
    assert Budget(limits=Limits(wall_s=0)).stop() == "the budget of 0 wall seconds is spent"


def test_sleeping_costs_no_cpu() -> None:
    budget = Budget(limits=Limits(cpu_s=0.02))
    time.sleep(0.05)
    assert budget.stop() is None
    assert budget.wall_s >= 0.05


def test_a_part_charges_the_whole_and_ends_with_it() -> None:
    whole = Budget(limits=Limits(queries=10))
    one, other = whole.child(Limits(queries=4)), whole.child()
    one.charge(queries=4)
    assert one.stop() == "the budget of 4 queries is spent"
    assert whole.stop() is None
    assert other.stop() is None
    assert (one.left_queries(), other.left_queries(), whole.left_queries()) == (0, 6, 6)
    other.charge(queries=7)
    assert (one.queries, other.queries, whole.queries) == (4, 7, 11)
    assert other.stop() == whole.stop() == "the budget of 10 queries is spent"
    assert other.left_queries() == 0


def test_interrupting_the_whole_interrupts_every_part_at_once() -> None:
    whole = Budget(limits=Limits(queries=0))
    part = whole.child().child()
    whole.interrupted = True
    assert part.stop() == "interrupted"
    assert whole.stop() == "interrupted"


def test_interrupting_a_part_leaves_the_others() -> None:
    whole = Budget()
    one, other = whole.child(), whole.child()
    one.interrupted = True
    assert one.stop() == "interrupted"
    assert whole.stop() is None
    assert other.stop() is None


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_parts_add_up(first: list[int], second: list[int]) -> None:
    whole = Budget()
    one, other = whole.child(), whole.child()
    for queries in first:
        one.charge(queries=queries)
    for queries in second:
        other.charge(queries=queries)
    assert (one.queries, other.queries, whole.queries) == (sum(first), sum(second), sum(first) + sum(second))
