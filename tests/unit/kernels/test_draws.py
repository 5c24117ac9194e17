"""Draws depend on key, stream and place alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from redan.kernels import draws

SHAPE = (3, 5)
FROZEN = [[17305427034633599457, 5763967337722807227], [2358254936495391636, 10564165354954865930]]


def keys(indices, seed=0, probe="RDN-EVA-001"):
    return draws.sample_keys(seed, probe, indices)


@pytest.mark.parametrize("draw", [draws.uniform, draws.normal, draws.words])
@pytest.mark.parametrize("batch", [1, 7, 500])
def test_batches_do_not_change_a_bit(draw, batch):
    everyone = keys(range(600))
    whole = draw(everyone, SHAPE, stream=3)
    parts = np.concatenate([draw(everyone[i : i + batch], SHAPE, stream=3) for i in range(0, 600, batch)])
    assert whole.tobytes() == parts.tobytes()


def test_order_and_subset_do_not_matter():
    places = np.array([17, 3, 99])
    whole = draws.uniform(keys(range(100)), SHAPE, stream=0)
    assert np.array_equal(draws.uniform(keys(places), SHAPE, stream=0), whole[places])


def test_a_draw_of_a_larger_shape_begins_with_the_smaller_one():
    assert np.array_equal(draws.words(keys([4]), (50,), stream=1)[:, :20], draws.words(keys([4]), (20,), stream=1))


@pytest.mark.parametrize(
    "other",
    [
        lambda: draws.uniform(keys([0], seed=1), (64,), stream=0),
        lambda: draws.uniform(keys([0], seed=-1), (64,), stream=0),
        lambda: draws.uniform(keys([0], probe="RDN-EVA-002"), (64,), stream=0),
        lambda: draws.uniform(keys([1]), (64,), stream=0),
        lambda: draws.uniform(keys([0]), (64,), stream=1),
    ],
)
def test_seed_probe_sample_and_stream_all_change_the_draw(other):
    assert not np.isin(draws.uniform(keys([0]), (64,), stream=0), other()).mean() > 0.1


def test_values_are_frozen():
    # a changed hash would silently change every published figure
    assert draws.words(keys([0, 1]), (2,), stream=0).tolist() == FROZEN


def test_uniform_is_uniform():
    values = draws.uniform(keys(range(200)), (1000,), stream=0).ravel().astype(float)
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=100, range=(0, 1))[0]
    chi_square = ((counts - 2000) ** 2 / 2000).sum()
    assert chi_square < 99 + 5 * math.sqrt(2 * 99)


def test_normal_is_normal():
    values = draws.normal(keys(range(200)), (1000,), stream=0).ravel().astype(float)
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs((values**4).mean() - 3) < 0.1
    assert abs((np.abs(values) < 1.959964).mean() - 0.95) < 0.003


def test_neighbouring_samples_streams_and_places_are_uncorrelated():
    a = draws.uniform(keys(range(100)), (100,), stream=0) - 0.5
    b = draws.uniform(keys(range(100)), (100,), stream=1) - 0.5
    for left, right in ((a[1:], a[:-1]), (a[:, 1:], a[:, :-1]), (a, b)):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.05


def test_integers_are_in_range_and_even():
    values = draws.integers(keys(range(100)), (1000,), 7, stream=0)
    counts = np.bincount(values.ravel(), minlength=7)
    assert len(counts) == 7
    assert abs(counts / counts.sum() - 1 / 7).max() < 0.01


@pytest.mark.parametrize("high", [0, -1, 2**31 + 1])
def test_integers_refuse_a_bad_range(high):
    with pytest.raises(ValueError, match="high must be"):
        draws.integers(keys([0]), (1,), high, stream=0)


def test_no_global_state_is_touched():
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002  the global state is what is examined
    draws.normal(keys(range(3)), SHAPE, stream=0)
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002  the global state is what is examined


def test_no_samples_give_no_draws():
    assert draws.uniform(keys([]), SHAPE, stream=0).shape == (0, *SHAPE)
