"""Whole comparisons: quiet where nothing has changed, loud where something has, fast on a million rows."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from redan.kernels.drift import columns
from redan.kernels.drift.comparing import Comparison, Sample, compare
from redan.kernels.drift.domain import separation
from redan.kernels.drift.pictures import components
from redan.kernels.statistics import clopper_pearson


def sample(name: str, one: NDArray, two: NDArray, *, text: bool = False) -> Sample:
    gone = [np.zeros(len(x), dtype=bool) if text else np.isnan(x) for x in (one, two)]
    return Sample(name=name, text=text, reference=one, current=two, missing=(gone[0], gone[1]))


def rows(n: int, rng: np.random.Generator) -> dict[str, NDArray]:
    """Correlated, skewed, rounded, constant and categorical columns, with some cells missing."""
    base = rng.normal(size=n)
    holes = rng.normal(size=n)
    holes[rng.random(n) < 0.1] = np.nan
    return {
        "plain": base,
        "tied": 0.7 * base + 0.7 * rng.normal(size=n),
        "skewed": rng.lognormal(size=n),
        "rounded": np.round(2 * rng.normal(size=n)),
        "holes": holes,
        "constant": np.ones(n),
        "city": rng.choice(np.array(["Bern", "Basel", "Chur", "Sion"], dtype=object), n, p=[0.5, 0.3, 0.15, 0.05]),
    }


def compared(one: dict[str, NDArray], two: dict[str, NDArray], seed: int = 0) -> Comparison:
    return compare([sample(k, one[k], two[k], text=k == "city") for k in one], seed=seed)


def alarmed(found: Comparison) -> bool:
    """Any test below the level, even where the effect would be too small for a verdict."""
    return found.overall_adjusted < 0.05 or any(d.p_adjusted < 0.05 for d in found.drifts)


def false_alarms(n_splits: int, monkeypatch: pytest.MonkeyPatch) -> int:
    # intervals take most of the time and decide nothing here
    monkeypatch.setattr(columns, "_RESAMPLES", 2)
    n_alarms = 0
    for seed in range(n_splits):
        rng = np.random.default_rng([7, seed])
        n = int(rng.choice([300, 1000, 3000]))
        pool = rows(2 * n, rng)
        order = rng.permutation(2 * n)
        cut = int(n * rng.choice([0.5, 1]))
        halves = [{k: v[part] for k, v in pool.items()} for part in (order[:-cut], order[-cut:])]
        n_alarms += alarmed(compared(halves[0], halves[1], seed))
    return n_alarms


def test_few_random_splits_of_one_sample_raise_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    # more than 8 of 50 would happen once in a thousand runs at the promised rate
    assert false_alarms(50, monkeypatch) <= 8


@pytest.mark.slow
def test_at_most_five_percent_of_two_hundred_random_splits_raise_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    n_alarms = false_alarms(200, monkeypatch)
    low, high = clopper_pearson(n_alarms, 200)
    print(f"false alarms: {n_alarms} of 200, 95 % interval {low:.3f} to {high:.3f}")
    assert n_alarms <= 10


def shifted(name: str, rng: np.random.Generator, n: int) -> dict[str, NDArray]:
    two = rows(n, rng)
    if name == "plain":
        two["plain"] = two["plain"] + 0.6
    elif name == "skewed":
        two["skewed"] = two["skewed"] * 2
    elif name == "city":
        two["city"] = rng.choice(np.array(["Bern", "Basel", "Chur", "Sion"], dtype=object), n, p=[0.2, 0.3, 0.15, 0.35])
    elif name == "holes":
        two["holes"][rng.random(n) < 0.2] = np.nan
    return two


@pytest.mark.parametrize("name", ["plain", "skewed", "city", "holes"])
def test_planted_shifts_are_found_in_their_column_and_nowhere_else(name: str) -> None:
    found_in = []
    for seed in range(5):
        rng = np.random.default_rng([11, seed])
        found = compared(rows(1500, rng), shifted(name, rng, 1000), seed)
        verdicts = {d.name for d in found.drifts if d.verdict != "none"}
        found_in.append(name in verdicts)
        assert verdicts <= {name, "tied"}
    assert all(found_in)


def test_a_change_of_correlation_alone_is_seen_by_the_classifier() -> None:
    rng = np.random.default_rng(3)
    one, two = rows(3000, rng), rows(3000, rng)
    two["tied"] = np.sqrt(0.98) * rng.normal(size=3000)
    found = compared(one, two)
    assert [d.name for d in found.drifts if d.verdict != "none"] == []
    assert found.overall is not None
    assert found.overall_verdict != "none"
    assert found.overall.auc.low > 0.5


def test_significance_without_size_is_no_drift() -> None:
    rng = np.random.default_rng(4)
    found = compare([sample("x", rng.normal(size=200_000), rng.normal(0.05, 1, size=200_000))], seed=0)
    assert found.drifts[0].p_adjusted < 1e-6
    assert found.drifts[0].verdict == "none"


def test_too_few_rows_are_said_and_not_judged() -> None:
    found = compare([sample("x", np.arange(30.0), np.arange(5.0))], seed=0)
    assert (found.drifts, found.overall, found.too_few) == ((), None, ("x",))


def test_the_same_seed_gives_the_same_comparison() -> None:
    rng = np.random.default_rng(5)
    one, two = rows(400, rng), rows(300, rng)
    assert compared(one, two, 1) == compared(one, two, 1)


def test_the_classifier_s_auc_is_that_of_the_best_one_for_shifted_normals() -> None:
    rng = np.random.default_rng(6)
    found = separation(rng.normal(size=(8000, 3)), rng.normal([1.0, 0, 0], 1, size=(8000, 3)), rng)
    assert found.auc.low - 0.005 <= 0.760 <= found.auc.high + 0.005
    assert found.size == "large"


def test_perfect_separation_is_found() -> None:
    rng = np.random.default_rng(7)
    found = separation(rng.random((40, 2)), rng.random((40, 2)) + 5, rng)
    assert found.auc.value == 1.0
    assert found.p_value < 1e-6


def test_images_move_along_the_directions_of_the_reference() -> None:
    rng = np.random.default_rng(8)
    direction = np.zeros(64)
    direction[:32] = 1
    one = rng.normal(size=(500, 1)) * direction + 0.1 * rng.normal(size=(500, 64))
    two = one + 2 * direction
    first, second = components(one, two, n_components=2)
    assert first.shape == (500, 2)
    assert abs((second - first).mean(axis=0)[0]) == pytest.approx(2 * np.sqrt(32), rel=0.01)
    assert abs((second - first).mean(axis=0)[1]) < 0.5


def test_a_million_rows_take_seconds() -> None:
    rng = np.random.default_rng(9)
    one, two = rng.normal(size=(2, 1_000_000, 2))
    start = time.process_time()
    compare([sample(f"x{i}", one[:, i], two[:, i]) for i in range(2)], seed=0)
    assert time.process_time() - start < 10
