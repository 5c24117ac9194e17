"""Corruptions of images and tables: bounds, shapes, keyed draws, strength."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from redan.kernels.corruptions import suite, tables
from redan.kernels.corruptions.blur import gaussian_blur
from redan.kernels.corruptions.convolution import convolve, disk, gaussian, lines
from redan.kernels.corruptions.noise import shot_noise
from redan.kernels.corruptions.warping import affine
from redan.kernels.draws import sample_keys

NAMES = list(suite.IMAGES)


def pictures(n: int, c: int, side: int, *, seed: int = 0) -> np.ndarray:
    """Smooth blobs with some texture, within [0, 1]."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[0:side, 0:side] / side
    middle = generator.uniform(0.3, 0.7, size=(n, c, 2, 1, 1))
    blob = np.exp(-20 * ((row - middle[:, :, 0]) ** 2 + (column - middle[:, :, 1]) ** 2))
    return np.clip(0.8 * blob + 0.2 * generator.random((n, c, side, side)), 0, 1).astype(np.float32)


def keys(n: int) -> np.ndarray:
    return sample_keys(0, "test", np.arange(n))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("c", "side"), [(1, 8), (3, 9), (1, 28)])
def test_every_corruption_keeps_shape_type_and_range(name: str, c: int, side: int) -> None:
    x = pictures(3, c, side)
    before = x.copy()
    for severity in suite.SEVERITIES:
        moved = suite.IMAGES[name](x, severity, keys(3))
        assert moved.shape == x.shape
        assert moved.dtype == np.float32
        assert np.isfinite(moved).all()
        assert moved.min() >= 0
        assert moved.max() <= 1
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_large_colour_image_passes_through(name: str) -> None:
    x = pictures(1, 3, 224)
    moved = suite.IMAGES[name](x, 3, keys(1))
    assert moved.shape == x.shape
    assert np.abs(moved - x).mean() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_changed_alike_alone_and_among_others(name: str) -> None:
    x = pictures(6, 1, 16)
    together = suite.IMAGES[name](x, 4, keys(6))
    order = np.array([5, 2, 0, 1, 4, 3])
    assert np.allclose(suite.IMAGES[name](x[order], 4, keys(6)[order]), together[order], atol=1e-5)
    assert np.allclose(suite.IMAGES[name](x[2:3], 4, keys(6)[2:3]), together[2:3], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_higher_severity_changes_more(name: str) -> None:
    x = pictures(16, 1, 28)
    sizes = [float(np.sqrt(((suite.IMAGES[name](x, s, keys(16)) - x) ** 2).mean())) for s in suite.SEVERITIES]
    assert all(later > earlier for earlier, later in pairwise(sizes)), sizes


def test_the_suite_respects_bounds_that_are_not_zero_and_one() -> None:
    x = pictures(4, 3, 12) * 255 - 100
    for name, corrupt in suite.images(-100.0, 155.0).items():
        moved = corrupt(x, 5, keys(4))
        assert moved.min() >= -100, name
        assert moved.max() <= 155, name
    grey = suite.images(0.0, 1.0)["fog"](pictures(4, 1, 12)[:, 0], 1, keys(4))
    assert grey.shape == (4, 12, 12)


def test_blurring_keeps_the_mean_and_a_flat_image() -> None:
    flat = np.full((2, 1, 20, 20), 0.3, np.float32)
    assert np.allclose(gaussian_blur(flat, 5, keys(2)), flat, atol=1e-5)
    point = np.zeros((1, 1, 15, 15), np.float32)
    point[0, 0, 7, 7] = 1
    for kernel in (gaussian(1.3), disk(2.0), lines(np.array([0.7], np.float32), 5.0)[0]):
        side = kernel.shape[0]
        spread = convolve(point, kernel)
        reach = side // 2
        assert np.allclose(spread[0, 0, 7 - reach : 8 + reach, 7 - reach : 8 + reach], kernel, atol=1e-5)


def test_counted_photons_have_the_mean_and_variance_of_light() -> None:
    x = np.full((40, 1, 50, 50), 0.5, np.float32)
    counts = shot_noise(x, 4, keys(40)) * 10  # ten photons at full light
    assert np.allclose(counts, np.round(counts), atol=1e-4)
    assert counts.mean() == pytest.approx(5.0, abs=0.1)
    assert (shot_noise(0 * x, 5, keys(40)) == 0).all()
    assert counts.var() == pytest.approx(5.0, rel=0.12)


def test_no_movement_changes_nothing_and_a_quarter_turn_is_exact() -> None:
    x = pictures(2, 1, 9)
    still, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    assert np.array_equal(affine(x, degrees=still, zoom=one, down=still, right=still), x)
    turned = affine(x, degrees=one * 90, zoom=one, down=still, right=still)
    assert np.allclose(turned, np.rot90(x, axes=(2, 3)), atol=1e-5)
    moved = affine(x, degrees=still, zoom=one, down=one * 2, right=-one)
    assert np.allclose(moved[:, :, 2:, :-1], x[:, :, :-2, 1:], atol=1e-6)


def test_tables_lose_values_round_and_drift_in_proportion_to_their_columns() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 3)) * [1.0, 100.0, 0.0] + [0.0, 50.0, 7.0]
    columns = tables.Columns.of(x)
    lost = tables.missing(x, 5, keys(400), columns)
    assert (lost[:, 0] == columns.middle[0]).mean() == pytest.approx(0.35, abs=0.07)
    noisy = tables.noise(x, 3, keys(400), columns) - x
    assert noisy[:, 1].std() == pytest.approx(0.2 * columns.spread[1], rel=0.15)
    assert (noisy[:, 2] == 0).all()
    rounded = tables.rounding(x, 5, keys(400), columns)
    assert len(np.unique(np.round(rounded[:, 0], 9))) < 12
    assert (rounded[:, 2] == 7).all()
    drifted = np.abs(tables.drift(x, 1, keys(400), columns) - x)
    assert np.allclose(drifted, 0.05 * columns.spread, atol=1e-9)


def test_every_corruption_of_tables_is_alike_in_any_order() -> None:
    x = np.random.default_rng(3).normal(size=(20, 4))
    order = np.random.default_rng(4).permutation(20)
    shuffled = suite.rows(x[order])
    for name, corrupt in suite.rows(x).items():
        assert np.array_equal(corrupt(x, 3, keys(20))[order], shuffled[name](x[order], 3, keys(20)[order])), name
