"""Shadows and canaries are asked the live version's rows; what differs beyond noise is said with n and interval."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests import served as made
from tests.served import settings_for
from tests.unit.service.models.conftest import pool_of

from redan.service.guards.noise import noisy
from redan.service.models.comparison import EVERY_CANARY, LEAST_BATCHES, MOST_WAITING, Comparing, Pair, compared
from redan.service.models.pool import Pool


def batch_of(served: Any, rows: slice, *, epsilon: float = 0.0) -> Any:
    x = made.rows()[0][rows].astype(served.dtype)
    found = served.answer(x)
    labels = noisy(found.scores, epsilon).argmax(axis=1) if epsilon else found.labels
    return SimpleNamespace(served=served, x=x, labels=labels)


def run_with(folder: Path, role: str, seed: int, batches: int, *, epsilon: float = 0.0) -> Any:
    """Show batches of the live version, and return what was compared."""
    settings = settings_for(
        folder, made.served(folder), made.served(folder, version="2", seed=seed, role=role, share=0.5)
    )

    async def main() -> Any:
        async with pool_of(settings, folder) as pool:
            comparing = Comparing(pool)
            live = pool.version("sklearn", "1").served
            await comparing.start()
            for n in range(batches):
                comparing.answered(batch_of(live, slice(n * 10 % 500, n * 10 % 500 + 10), epsilon=epsilon))
                while comparing._waiting.qsize() > MOST_WAITING // 2:
                    await asyncio.sleep(0.001)
            while comparing._waiting.qsize():
                await asyncio.sleep(0.001)
            await comparing.stop()
            return comparing

    return asyncio.run(main())


def test_a_shadow_that_is_the_same_model_agrees_within_noise(tmp_path: Path) -> None:
    comparing = run_with(tmp_path, "shadow", 0, 40)
    (found,) = comparing.results()
    assert (found.live, found.other, found.verdict) == ("sklearn@1", "sklearn@2", "within noise")
    agreement = found.quantities[0]
    assert (agreement.value, agreement.n) == (1.0, 400)
    assert agreement.low < 1 == agreement.high
    live_latency, latency = found.quantities[1:3]
    assert live_latency.n == latency.n == 40
    assert 0 < latency.low <= latency.value <= latency.high < 1
    assert found.pace == "within noise", found.slowdown
    assert found.slowdown.n == 40


def test_noise_on_what_left_is_no_disagreement_of_versions(tmp_path: Path) -> None:
    comparing = run_with(tmp_path, "shadow", 0, 40, epsilon=0.5)
    (found,) = comparing.results()
    assert found.verdict == "within noise"
    assert found.quantities[0].value == 1.0


def test_of_canaries_a_sample_is_compared(tmp_path: Path) -> None:
    comparing = run_with(tmp_path, "canary", 0, 3 * EVERY_CANARY)
    (found,) = comparing.results()
    assert found.quantities[0].n == 30
    assert found.verdict == "too few rows"


def test_a_version_that_answers_otherwise_differs_beyond_noise() -> None:
    assert compared("m@1", "m@2", Pair(rows=1000, agreed=900)).verdict == "differs beyond noise"
    assert compared("m@1", "m@2", Pair(rows=1000, agreed=985)).verdict == "within noise"
    assert compared("m@1", "m@2", Pair(rows=50, agreed=0)).verdict == "too few rows"


def test_without_another_version_nothing_is_kept(tmp_path: Path) -> None:
    async def main() -> None:
        async with pool_of(settings_for(tmp_path), tmp_path) as pool:
            comparing = Comparing(pool)
            for _ in range(50):
                comparing.answered(batch_of(pool.version("sklearn", "1").served, slice(0, 1)))
            assert comparing._waiting.qsize() == 0

    asyncio.run(main())


def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, made.served(tmp_path), made.served(tmp_path, version="2", role="shadow"))

    async def main() -> None:
        async with pool_of(settings, tmp_path) as pool:
            comparing = Comparing(pool)
            live = pool.version("sklearn", "1").served
            for _ in range(MOST_WAITING + 5):
                comparing.answered(batch_of(live, slice(0, 1)))
            assert comparing.dropped == 5
            await comparing.start()
            await comparing.stop()

    asyncio.run(main())


def test_a_shadow_answers_nobody(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, made.served(tmp_path), made.served(tmp_path, version="2", role="shadow"))

    async def main() -> None:
        async with pool_of(settings, tmp_path) as pool:
            assert isinstance(pool, Pool)
            assert [each.label for each in pool.shadows("sklearn")] == ["sklearn@2"]
            assert pool.choose("sklearn", "2", "c") is None
            assert pool.shadows("nothing") == ()

    asyncio.run(main())


@pytest.mark.parametrize("agreed", [0, 400])
def test_intervals_hold_the_rate(agreed: int) -> None:
    agreement = compared("m@1", "m@2", Pair(rows=400, agreed=agreed)).quantities[0]
    assert agreement.low <= agreement.value <= agreement.high


def paired(factor: float, n: int = 200, seed: int = 0) -> Pair:
    """Times of a version that takes ``factor`` times as long, on a machine that is now fast and now slow."""
    rng = np.random.default_rng([int(factor * 100), seed])
    moods = rng.uniform(1, 3, n)
    pair = Pair()
    pair.live_us.extend(10 * moods * rng.lognormal(0, 0.3, n))
    pair.other_us.extend(10 * factor * moods * rng.lognormal(0, 0.3, n))
    return pair


@pytest.mark.parametrize(
    ("factor", "pace"),
    [(1.0, "within noise"), (1.05, "within noise"), (1.5, "slower beyond noise"), (0.5, "faster beyond noise")],
)
def test_a_version_is_slower_or_faster_only_beyond_noise(factor: float, pace: str) -> None:
    found = compared("m@1", "m@2", paired(factor))
    assert found.pace == pace
    assert found.slowdown.low <= found.slowdown.value <= found.slowdown.high


def test_the_interval_of_the_slowdown_holds_the_truth_as_often_as_it_says() -> None:
    found = [compared("m@1", "m@2", paired(1.0, seed=seed)) for seed in range(200)]
    held = sum(each.slowdown.low <= 1.0 <= each.slowdown.high for each in found)
    assert held >= 180
    assert {each.pace for each in found} == {"within noise"}


def test_of_few_batches_nothing_is_said_of_latency() -> None:
    assert compared("m@1", "m@2", paired(3.0, n=LEAST_BATCHES - 1)).pace == "too few batches"
    assert compared("m@1", "m@2", Pair(rows=1000, agreed=1000)).pace == "too few batches"
