"""Effects of single columns: right in size, covered by their intervals, blind to the balance of the samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from redan.kernels.drift.columns import SCALES, categorical, missing, numeric


def draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_distance_and_its_p_value_are_scipy_s() -> None:
    rng = draw(0)
    one, two = rng.normal(size=800), rng.normal(0.2, 1.1, size=500)
    found, exact = numeric(one, two, rng), stats.ks_2samp(one, two, method="asymp")
    assert found.effect.value == pytest.approx(exact.statistic)
    assert found.p_value == pytest.approx(exact.pvalue, rel=0.1)


def test_the_wasserstein_distance_is_scipy_s_but_for_the_bins() -> None:
    rng = draw(1)
    one, two = rng.normal(size=4000), rng.normal(0.5, 1.5, size=3000)
    exact = stats.wasserstein_distance(one, two) / one.std()
    assert numeric(one, two, rng).others["wasserstein"].value == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize(("shift", "size"), [(0.0, "none"), (0.3, "small"), (0.6, "medium"), (1.0, "large")])
def test_a_shift_of_the_mean_has_cohen_s_size(shift: float, size: str) -> None:
    rng = draw(2)
    assert numeric(rng.normal(size=20_000), rng.normal(shift, 1, size=20_000), rng).size == size


def test_the_scale_of_distances_is_that_of_shifted_normals() -> None:
    for bound, d in zip(SCALES["ks"], (0.2, 0.5, 0.8), strict=True):
        assert bound == pytest.approx(2 * stats.norm.cdf(d / 2) - 1, abs=1e-3)


def test_numeric_intervals_cover_the_true_distance() -> None:
    shift = 0.5
    true = 2 * stats.norm.cdf(shift / 2) - 1
    rng = draw(3)
    covered = 0
    for _ in range(200):
        found = numeric(rng.normal(size=300), rng.normal(shift, 1, size=200), rng).effect
        covered += found.low <= true <= found.high
    assert covered >= 190


def test_categorical_intervals_cover_the_true_effect() -> None:
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    true = math.sqrt(((p - q) ** 2 / (p + q)).sum() / 2)
    rng = draw(4)
    covered = 0
    for _ in range(300):
        found = categorical(rng.multinomial(600, p), rng.multinomial(400, q), rng).effect
        covered += found.low <= true <= found.high
    assert covered >= 300 * 0.91


def test_a_small_current_sample_does_not_shrink_the_effect() -> None:
    rng = draw(5)
    large = categorical(np.array([50_000, 50_000]), np.array([20_000, 80_000]), rng)
    small = categorical(np.array([50_000, 50_000]), np.array([200, 800]), rng)
    assert small.effect.value == pytest.approx(large.effect.value, abs=0.02)
    assert large.effect.value == pytest.approx(0.3145, abs=0.002)


def test_the_chi_square_p_value_is_scipy_s() -> None:
    counts = np.array([[120, 80, 50], [70, 90, 40]])
    exact = stats.chi2_contingency(counts, correction=False).pvalue
    assert categorical(counts[0], counts[1], draw(6)).p_value == pytest.approx(exact, rel=1e-9)


def test_rare_categories_are_taken_together() -> None:
    one, two = np.array([1000, *[1] * 30]), np.array([1000, *[0] * 30])
    found = categorical(one, two, draw(7))
    assert found.size == "none" or found.p_value < 0.01
    assert found.p_value < 0.001


def test_rates_of_missing_cells_have_newcombe_s_interval() -> None:
    found = missing((10, 1000), (80, 1000))
    assert found.effect.value == pytest.approx(0.07)
    assert 0.05 < found.effect.low < 0.07 < found.effect.high < 0.09
    assert found.size == "medium"
    assert missing((0, 50), (0, 50)).p_value == 1.0


def test_constant_columns_are_compared_without_a_spread() -> None:
    same = numeric(np.ones(50), np.ones(50), draw(8))
    other = numeric(np.ones(50), np.zeros(50), draw(8))
    assert (same.size, same.p_value) == ("none", 1.0)
    assert other.size == "large"
    assert "wasserstein" not in other.others
