"""Tail probabilities against scipy; Holm's method by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from redan.kernels.drift.tails import chi_square, holm, kolmogorov, normal


def test_holm_multiplies_the_smallest_by_all_and_never_decreases() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("freedom", [1, 2, 9, 50, 400])
@pytest.mark.parametrize("ratio", [0.01, 0.5, 1, 1.5, 4])
def test_chi_square_tails_are_scipy_s(freedom: int, ratio: float) -> None:
    assert chi_square(freedom * ratio, freedom) == pytest.approx(stats.chi2.sf(freedom * ratio, freedom), rel=1e-9)


@pytest.mark.parametrize("distance", [0.02, 0.05, 0.08, 0.15])
def test_kolmogorov_tails_are_near_the_exact_ones(distance: float) -> None:
    n, m = 700, 900
    exact = stats.kstwo.sf(distance, round(n * m / (n + m)))
    assert kolmogorov(distance, n, m) == pytest.approx(exact, rel=0.08, abs=1e-9)


def test_normal_tails_are_scipy_s() -> None:
    for z in (-3, 0, 1.96, 6):
        assert normal(z) == pytest.approx(float(stats.norm.sf(z)), rel=1e-12)
    assert np.isclose(normal(1.6448536269514722), 0.05)
