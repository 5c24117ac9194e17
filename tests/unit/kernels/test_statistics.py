"""Intervals against scipy, printed examples and exact coverage."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from scipy import special, stats

from redan.kernels import statistics as own

COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (693, 1000), (1, 100_000), (99_999, 100_000)]


@pytest.mark.parametrize(("k", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_intervals_agree_with_scipy(k, n, confidence):
    test = stats.binomtest(k, n)
    exact = test.proportion_ci(confidence, method="exact")
    score = test.proportion_ci(confidence, method="wilson")
    assert own.clopper_pearson(k, n, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert own.wilson(k, n, confidence) == pytest.approx((score.low, score.high), abs=1e-12)


@pytest.mark.parametrize("interval", [own.wilson, own.clopper_pearson])
def test_nothing_measured_bounds_nothing(interval):
    assert interval(0, 0) == (0, 1)


@pytest.mark.parametrize("interval", [own.wilson, own.clopper_pearson])
@pytest.mark.parametrize(("k", "n", "confidence"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 0.0), (1, 3, 1.0)])
def test_bad_counts_are_refused(interval, k, n, confidence):
    with pytest.raises(ValueError, match=r"successes|confidence"):
        interval(k, n, confidence)


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.69, 0.95])
def test_clopper_pearson_covers_at_least_its_confidence(rate):
    n = 60
    covered = sum(
        stats.binom.pmf(k, n, rate)
        for k in range(n + 1)
        if own.clopper_pearson(k, n)[0] <= rate <= own.clopper_pearson(k, n)[1]
    )
    assert covered >= 0.95


@pytest.mark.parametrize("a", [0.5, 1, 7, 307, 5000])
@pytest.mark.parametrize("b", [0.5, 2, 693, 5000])
@pytest.mark.parametrize("x", [0.0, 1e-9, 0.01, 0.3, 0.5, 0.693, 0.99, 1.0])
def test_incomplete_beta_agrees_with_scipy(a, b, x):
    assert own.regularised_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-10)


@pytest.mark.parametrize("share", [1e-12, 1e-4, 0.025, 0.5, 0.6, 0.975, 1 - 1e-9])
def test_normal_quantile_agrees_with_scipy(share):
    assert own.normal_quantile(share) == pytest.approx(stats.norm.ppf(share), abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_normal_quantile_has_ends(share):
    with pytest.raises(ValueError, match="within"):
        own.normal_quantile(share)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 5), (6, 1), (2, 30), (60, 41)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(gained, lost):
    first = [0] * gained + [1] * lost + [0, 1] * 10
    second = [1] * gained + [0] * lost + [0, 1] * 10
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert own.mcnemar(first, second) == pytest.approx(expected)


def test_mcnemar_refuses_unpaired_vectors():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        own.mcnemar([0, 1], [0])


def test_difference_gives_the_printed_example():
    # Newcombe 1998, table II, column (a), method 10: 56/70 against 48/80
    found = own.difference((48, 80), (56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert found.beyond_noise


def test_difference_of_the_same_rate_is_noise():
    assert not own.difference((700, 1000), (693, 1000)).beyond_noise
    assert own.difference((700, 1000), (600, 1000)).beyond_noise


def test_difference_needs_samples():
    with pytest.raises(ValueError, match="no samples"):
        own.difference((0, 0), (1, 2))


@pytest.mark.parametrize("n", [6, 7, 20, 101, 1000])
def test_median_interval_covers_by_its_binomial_law(n):
    low, high = own.median_interval(list(range(1, n + 1)))
    below, above = int(low), n + 1 - int(high)
    assert below == above
    assert 2 * stats.binom.cdf(below - 1, n, 0.5) <= 0.05 < 2 * stats.binom.cdf(below, n, 0.5)


def test_median_interval_of_few_or_infinite_values():
    assert own.median_interval([1.0] * 5) == (-math.inf, math.inf)
    assert own.median_interval([1.0] * 6 + [math.inf] * 6) == (1.0, math.inf)
    assert own.median_interval([]) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="NaN"):
        own.median_interval([math.nan] * 10)


def test_numpy_is_not_imported():
    code = "import redan.kernels.statistics, sys; assert not {'numpy', 'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
