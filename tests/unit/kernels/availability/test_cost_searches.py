"""Meters, comparisons and searches for costly inputs."""

from __future__ import annotations

import gc
import sys
from itertools import pairwise

import numpy as np
import pytest

from redan.kernels.availability.breeding import Breeding, breed
from redan.kernels.availability.comparing import Median, compare
from redan.kernels.availability.meters import METERS, lines
from redan.kernels.availability.pumping import Pumping, pump

SETTINGS = Breeding(generations=15, population=20, low=0.0, high=1.0)


def work(n: int) -> float:
    total = 0.0
    for i in range(n):
        total += i**0.5
    return total


def test_every_meter_reads_more_for_more_work() -> None:
    for name, (meter, _) in METERS.items():
        assert meter(lambda: work(20000)) > 2 * meter(lambda: work(200)), name


def test_lines_are_the_same_each_time_and_leave_the_interpreter_as_it_was() -> None:
    before, collecting = sys.gettrace(), gc.isenabled()
    assert lines(lambda: work(50)) == lines(lambda: work(50))
    assert lines(lambda: work(51)) - lines(lambda: work(50)) == 2
    with pytest.raises(ZeroDivisionError):
        lines(lambda: 1 // 0)
    assert sys.gettrace() is before
    assert gc.isenabled() is collecting


def test_the_comparison_alternates_and_takes_every_usual_input_in_turn() -> None:
    asked: list[str] = []

    def cost(value: str) -> float:
        asked.append(value)
        return 6.0 if value == "dear" else 2.0

    found = compare(cost, "dear", ["a", "b", "c"], rounds=9)
    assert found.ratio.value == 3
    assert (found.ratio.low, found.ratio.high, found.ratio.n) == (3, 3, 9)
    assert asked[:4] == ["a", "dear", "dear", "b"]
    assert {asked.count(name) for name in "abc"} == {3}
    assert found.beyond_noise


def test_equal_costs_with_noise_are_noise() -> None:
    flagged = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        flagged += compare(lambda _, g=generator: float(g.lognormal(0, 0.3)), "x", ["y"], rounds=25).beyond_noise
    assert flagged / 300 < 0.05
    with pytest.raises(ValueError, match="readings"):
        Median.of([1.0] * 5)


def test_breeding_finds_a_cost_that_few_inputs_have() -> None:
    x = np.random.default_rng(0).uniform(0.4, 0.6, size=(10, 6, 6)).astype(np.float32)
    hidden = (np.indices((6, 6)).sum(axis=0) % 3 == 0).astype(np.float32)

    def cost(value: np.ndarray) -> float:
        assert value.dtype == np.float32
        assert value.min() >= 0
        assert value.max() <= 1
        return float(-np.abs(value - hidden).mean())

    found = breed(cost, x, SETTINGS, seed=3)
    assert found.by_generation[-1] > found.by_generation[0] + 0.1
    assert list(found.costs) == sorted(found.costs, reverse=True)
    assert all(b >= a for a, b in pairwise(found.by_generation))
    again = breed(cost, x, SETTINGS, seed=3)
    assert np.array_equal(again.candidates[0], found.candidates[0])


def test_breeding_keeps_whole_numbers_whole_and_stops_when_told() -> None:
    tokens = np.arange(20, dtype=np.int64).reshape(4, 5)
    settings = Breeding(generations=5, population=10, low=0, high=19)
    asked = 0

    def cost(value: np.ndarray) -> float:
        nonlocal asked
        asked += 1
        assert value.dtype == np.int64
        return float(value.sum())

    found = breed(cost, tokens, settings, seed=0)
    assert found.candidates[0].tolist() == [19] * 5
    asked = 0
    cut = breed(cost, tokens, settings, seed=0, stop=lambda: "enough" if asked >= 7 else None)
    assert cut.reason == "enough"
    assert len(cut.costs) == asked == 7


def test_pumping_meets_an_exponential_pattern_before_it_hangs() -> None:
    most = 0.0

    def cost(text: str) -> float:
        # what (a+)+$ does: every further character doubles the steps, once the text cannot match
        nonlocal most
        value = 2.0 ** len(text) if set(text[:-1]) == {"a"} and text[-1] != "a" else float(len(text))
        most = max(most, value)
        return value

    found = pump(cost, ["hello", "aaa"], Pumping(longest=200, enough=1e6))
    assert found.candidates[0].startswith("aaaa")
    assert found.candidates[0].endswith(("!", "\x01"))
    assert 1e6 <= found.costs[0] == most < 4e6  # two characters a step, so never more than four times enough


def test_pumping_stays_within_the_longest_text() -> None:
    seen: list[str] = []
    pump(lambda text: float(seen.append(text) or 1), ["xy"], Pumping(longest=30, enough=1e9))
    assert max(map(len, seen)) <= 30
    assert any(set(text) == {"x"} for text in seen)
