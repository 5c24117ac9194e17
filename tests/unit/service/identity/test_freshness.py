"""A proof is fresh by both clocks or not at all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from redan.service.identity import freshness
from redan.service.identity.freshness import MOST_PROOFS, fresh
from redan.service.identity.tokens import SKEW_S

NOW_S = 2_000_000_000.0


@pytest.fixture
def elapsed_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the monotonic clock, which the test moves."""
    seconds = [0.0]
    monkeypatch.setattr(freshness, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(freshness, "_first", type(freshness._first)())
    return seconds


@pytest.mark.parametrize(
    ("shown_s", "expected"),
    [(None, False), (NOW_S, True), (NOW_S - 300, True), (NOW_S - 301, False), (NOW_S + SKEW_S, True),
     (NOW_S + SKEW_S + 1, False)],
)  # fmt: skip
def test_the_wall_clock_bounds_a_proof(elapsed_s: list[float], shown_s: float | None, expected: bool) -> None:
    assert fresh("session:1", shown_s, within_s=300, now_s=NOW_S) is expected


def test_a_wall_clock_that_goes_back_again_and_again_prolongs_nothing(elapsed_s: list[float]) -> None:
    answers = []
    for seconds in range(0, 601, 100):
        elapsed_s[0] = seconds
        answers.append(fresh("session:1", NOW_S, within_s=300, now_s=NOW_S + 10))
    assert answers == [True, True, True, True, False, False, False]
    assert fresh("session:1", NOW_S + 5, within_s=300, now_s=NOW_S + 10), "a factor that was shown again"


def test_a_wall_clock_that_goes_forward_ends_it_sooner(elapsed_s: list[float]) -> None:
    assert fresh("session:1", NOW_S, within_s=300, now_s=NOW_S)
    assert not fresh("session:1", NOW_S, within_s=300, now_s=NOW_S + 3600)


def test_what_is_remembered_is_bounded(elapsed_s: list[float]) -> None:
    for number in range(MOST_PROOFS + 100):
        assert fresh(f"session:{number}", NOW_S, within_s=300, now_s=NOW_S)
    assert len(freshness._first) == MOST_PROOFS
