"""What inputs look like, how strange they are, what belongs to a family, and state that merges."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from redan.core.errors import ShapeMismatch
from redan.kernels.detectors.by_client import ByClient
from redan.kernels.detectors.fingerprints import LENGTH, fingerprints
from redan.kernels.streams.clients import CLIENTS, KINDS, LONGEST, clients_of, pool_of
from redan.kernels.streams.distinct import KEPT, Distinct
from redan.kernels.streams.look import SIDE, look_of, pooled
from redan.kernels.streams.nuisances import disturbed
from redan.kernels.streams.strangeness import Told, fit
from redan.kernels.streams.suspicion import LEAST_QUERIES, Limits, kin, peak
from redan.kernels.streams.trail import Query, Trail

LIMITS = Limits()


def digits() -> np.ndarray:
    return (load_digits().images / 16).astype(np.float32)


def test_brightness_and_contrast_do_not_change_the_look_of_a_picture() -> None:
    x = digits()[:20]
    look = look_of(x)
    assert np.allclose(look.of(x), look.of(0.5 * x + 0.2), atol=1e-5)
    assert np.allclose(np.linalg.norm(look.of(x), axis=1), 1, atol=1e-5)
    with pytest.raises(ShapeMismatch, match="rows of shape"):
        look.of(x[:, :4])


def test_pictures_are_pooled_to_few_pixels_and_small_ones_stay() -> None:
    x = np.arange(2 * 30 * 28, dtype=np.float32).reshape(2, 1, 30, 28)
    assert pooled(x).shape == (2, 1, 10, 14)
    assert pooled(x)[0, 0, 0, 0] == x[0, 0, :3, :2].mean()
    assert max(pooled(np.zeros((1, 3, 225, 17), np.float32)).shape[-2:]) <= SIDE
    assert np.array_equal(pooled(digits()[:3]), digits()[:3])


def test_columns_of_a_table_count_alike_and_one_that_never_moved_is_no_division_by_zero() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3)) * [1, 1000, 0]
    told = look_of(rows).of(rows)
    assert told[:, 0].std() == pytest.approx(told[:, 1].std(), rel=1e-3)
    assert np.isfinite(look_of(rows).of(np.full((1, 3), 1e30, np.float32))).all()


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 16, 9), (5,), (2, 3)])
def test_disturbances_keep_shape_and_bounds_and_depend_on_the_seed_alone(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((6, *shape)).astype(np.float32)
    told = disturbed(x, 3, bounds=(0, 1))
    assert told.shape == x.shape
    assert np.array_equal(told, disturbed(x, 3, bounds=(0, 1)))
    assert not np.array_equal(told, disturbed(x, 4, bounds=(0, 1)))
    assert not np.array_equal(told, x)
    if len(shape) > 1 and min(shape[-2:]) >= 8:
        assert told.min() >= 0
        assert told.max() <= 1


def test_one_camera_disturbs_all_pictures_alike() -> None:
    same = np.repeat(digits()[:1], 5, axis=0)
    alike = disturbed(same, 0, bounds=(0, 1), alike=True)
    apart = disturbed(same, 0, bounds=(0, 1))
    assert np.std(alike, axis=0).mean() < np.std(apart, axis=0).mean() / 2


def test_noise_is_far_and_strange_and_new_digits_are_neither() -> None:
    x = digits()
    look = look_of(x)
    known = fit(look.of(x[:800]), look.of(x[800:1200]), seed=0)
    benign = known.of(look.of(x[1200:1600]))
    assert benign.far.mean() < 0.12
    assert 0.4 < benign.rank.mean() < 0.6
    noise = known.of(look.of(np.random.default_rng(0).random((100, 8, 8))))
    assert noise.far.mean() > 0.95
    assert noise.rank.mean() > 0.85
    assert known.of(look.of(x[:5])).nearest == pytest.approx(np.zeros(5), abs=2e-3)
    with pytest.raises(ShapeMismatch, match="more than 10 rows"):
        fit(look.of(x[:5]), look.of(x[:50]), seed=0)
    with pytest.raises(ShapeMismatch, match="looks of shape"):
        known.of(np.zeros((2, 3), np.float32))


def test_growth_makes_families_and_single_retries_do_not() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(30, LENGTH)).astype(np.float32)
    grown = [first]
    for _ in range(3):
        grown.append(np.concatenate(grown) + rng.normal(size=(len(np.concatenate(grown)), LENGTH)) * 0.01)
    prints, nearest = np.concatenate(grown).astype(np.float32), np.full(240, 5.0, np.float32)
    assert (kin(prints, nearest, 0.5)[120:] >= 3).mean() == 1
    retried = np.repeat(rng.normal(size=(120, LENGTH)), 2, axis=0).astype(np.float32)
    assert kin(retried, nearest, 0.5).max() == 1
    calm = Told(far=np.zeros(240, bool), rank=np.full(240, 0.5, np.float32), nearest=nearest)
    assert peak(calm, prints, LIMITS) > 1
    assert peak(calm, retried, LIMITS) == 0


def test_nothing_is_suspicious_before_fifty_queries() -> None:
    assert LIMITS.signs(LEAST_QUERIES - 1, 49, 49, 49) == (0, 0, 0)
    assert max(LIMITS.signs(LEAST_QUERIES, 50, 25, 0)) == pytest.approx(1 / LIMITS.far)


def test_benign_clients_are_of_five_kinds_and_of_the_rows_given() -> None:
    x, y = load_digits(return_X_y=True)
    pool = pool_of(digits()[:300], y[:300], 0, bounds=(0, 1))
    found = list(clients_of(pool, 0))
    assert len(found) == CLIENTS
    assert {kind for kind, _, _ in found} == set(KINDS)
    for kind, versions, places in found[:50]:
        assert len(versions) == len(places) <= LONGEST
        if kind == "two classes":
            assert len(np.unique(pool.classes[places])) <= 2
        if kind == "retries":
            assert 0.2 < (versions > 0).mean() < 0.4
            assert len(set(zip(versions, places, strict=True))) > 0.9 * len(places)
        if kind == "one camera":
            assert len(np.unique(versions)) == 1
            assert versions[0] >= 3
    assert len(x) > 300


queries = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=40)


def query(time_s: int, number: int) -> Query:
    rng = np.random.default_rng(number // 4)  # numbers of one family lie near each other
    mark = (rng.normal(size=LENGTH) + 0.001 * number).astype(np.float32)
    return Query(
        time_s=float(time_s),
        digest=bytes([number]),
        fingerprint=mark,
        nearest=1.0 + number % 3,
        far=number % 5 == 0,
        rank=float(np.float32(number / 12)),
    )


def told(trail: Trail) -> tuple[Any, ...]:
    kept = [(one.time_s, one.digest, one.far, one.rank) for one in trail.queries()]
    counts = trail.counts
    return kept, counts.n, counts.far, round(counts.ranks, 4), counts.families


@settings(deadline=None, max_examples=60)
@given(queries, queries)
def test_trails_depend_on_the_set_of_queries_alone(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    def trail(parts: list[tuple[int, int]]) -> Trail:
        found = Trail(100, 0.5)
        for part in parts:
            found.add(query(*part))
        return found

    whole = trail([*first, *second])
    assert told(trail(first).merged(trail(second))) == told(whole)
    assert told(trail(second).merged(trail(first))) == told(whole)
    assert told(trail(sorted([*first, *second], reverse=True))) == told(whole)


def test_a_trail_forgets_the_oldest_and_counts_what_would_come() -> None:
    trail = Trail(5, 0.5)
    for i in range(12):
        before = trail.counts_with(query(i, i))
        trail.add(query(i, i))
        if i < 5:
            assert before == trail.counts
    assert [one.digest[0] for one in trail.queries()] == [7, 8, 9, 10, 11]
    fresh = Trail(5, 0.5)
    for i in range(7, 12):
        fresh.add(query(i, i))
    assert told(fresh) == told(trail)
    assert trail.counts_with(query(20, 11)) == trail.counts, "the same input again is nothing new"


def test_the_client_that_asked_longest_ago_is_forgotten() -> None:
    trails = ByClient(2, partial(Trail, 10, 0.5))
    for i, name in enumerate("abcb"):
        trails.add(name, query(i, i))
    assert [trails.trail(name).counts.n for name in "abc"] == [0, 2, 1]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2**64 - 1), max_size=400), st.lists(st.integers(0, 2**64 - 1), max_size=400))
def test_sketches_of_two_streams_are_the_sketch_of_both(first: list[int], second: list[int]) -> None:
    def sketch(numbers: list[int]) -> Distinct:
        found = Distinct()
        for number in numbers:
            found = found.plus(number)
        return found

    assert sketch(first).merged(sketch(second)) == sketch([*second, *first])
    assert len(sketch([*first, *second]).smallest) <= KEPT
    few = set(first[:200])
    assert sketch(list(few)).estimate() == (len(few), len(few), len(few))


def test_different_inputs_are_counted_within_a_few_per_cent() -> None:
    inside = 0
    for seed in range(40):
        numbers = np.random.default_rng(seed).integers(0, 2**64, 3000, dtype=np.uint64)
        value, low, high = Distinct(smallest=tuple(sorted(map(int, numbers)))[:KEPT]).estimate()
        assert value == pytest.approx(3000, rel=0.3)
        inside += low <= 3000 <= high
    assert inside >= 34


def test_fingerprints_of_looks_keep_distances() -> None:
    looks = look_of(digits()).of(digits()[:60])
    prints = fingerprints(looks.shape[1], 0).of(looks)
    true, seen = (np.linalg.norm(rows[1:] - rows[0], axis=1) for rows in (looks, prints))
    assert np.median(seen / true) == pytest.approx(1, abs=0.2)
