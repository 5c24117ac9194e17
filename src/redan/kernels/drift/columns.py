"""One column in two samples: how far apart its values, categories and missing cells are.

The size of a difference is judged by its effect, on the scale that Cohen gave differences of two means (0.2, 0.5, 0.8
standard deviations) and tables (w of 0.1, 0.3, 0.5); the p-value only says whether it is more than chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.kernels.drift.tails import chi_square, kolmogorov
from redan.kernels.statistics import difference

Measure = Literal["ks", "v", "missing"]
SCALES: dict[Measure, tuple[float, float, float]] = {
    "ks": (0.080, 0.197, 0.311),
    "v": (0.1, 0.3, 0.5),
    "missing": (0.01, 0.05, 0.1),
}
"""Measure → where small, medium and large begin. KS distances are those of normal samples whose means lie 0.2, 0.5 and
0.8 standard deviations apart: 2Φ(d/2) − 1 (Cohen, "Statistical power analysis", 2nd edition, 1988, chapters 2, 7)."""
KS_95 = 1.3581
"""95 % quantile of Kolmogorov's distribution."""
LEAST_ROWS = 20
"""With fewer values on a side nothing is said."""
_BINS = 200
_PSI_BINS = 10
_RESAMPLES = 200
_LEAST_EXPECTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How far a column lies apart.

    Attributes:
        measure: ``ks`` (largest distance of the distribution functions, 0 to 1), ``v`` (Cramér's V of sample against
            category with both samples weighted alike, bias removed, 0 to 1) or ``missing`` (difference of the rates).
        effect: the measure with its interval.
        p_value: of no difference, not adjusted.
        n_reference: values in the reference.
        n_current: values in the current data.
        others: further measures by name: ``psi`` (nats), ``wasserstein`` (in standard deviations of the reference).
    """

    measure: Measure
    effect: Estimate
    p_value: float
    n_reference: int
    n_current: int
    others: dict[str, Estimate]

    @property
    def size(self) -> Literal["none", "small", "medium", "large"]:
        """The effect in a word, whatever the p-value."""
        small, medium, large = SCALES[self.measure]
        value = abs(self.effect.value)
        if value < small:
            return "none"
        return "small" if value < medium else "medium" if value < large else "large"


def numeric(reference: NDArray[Any], current: NDArray[Any], rng: np.random.Generator) -> Effect:
    """Compare (n,) with (m,) finite numbers.

    The interval of the distance is it ± 1.358·√(1/n + 1/m), exact for large samples of one distribution.

    Sources:
        Stephens 1970 (p-value); Wu and Olson 2010 (population stability index, ten bins of the reference's quantiles);
        Ramdas, García Trillos and Cuturi 2017, equation 5 (Wasserstein distance as the area between distribution
        functions). Both with percentile intervals of the bootstrap over bins.
    """
    one, two = np.sort(reference), np.sort(current)
    n, m = len(one), len(two)
    points = np.concatenate([one, two])
    distance = float(np.abs(_below(one, points) - _below(two, points)).max())
    margin = KS_95 * math.sqrt(1 / n + 1 / m)
    return Effect(
        measure="ks",
        effect=Estimate(value=distance, low=max(0.0, distance - margin), high=min(1.0, distance + margin)),
        p_value=kolmogorov(distance, n, m),
        n_reference=n,
        n_current=m,
        others=_further(one, two, rng),
    )


def categorical(reference: NDArray[Any], current: NDArray[Any], rng: np.random.Generator) -> Effect:
    """Compare counts of the same k categories, (k,) and (k,).

    Sources:
        Pearson's chi-square test, rare categories taken together; Bergsma, "A bias-correction for Cramér's V and
        Tschuprow's T", Journal of the Korean Statistical Society 42, 2013, for the removal of the bias.
    """
    one, two = _without_rare(np.asarray(reference, dtype=np.int64), np.asarray(current, dtype=np.int64))
    n, m = int(one.sum()), int(two.sum())
    bias = (len(one) - 1) * (1 / n + 1 / m) / 4
    resampled = [rng.multinomial(total, counts / total, _RESAMPLES) for counts, total in ((one, n), (two, m))]
    # each resample adds the noise of sampling once more
    draws = np.sqrt(np.maximum(_divergence(resampled[0] / n, resampled[1] / m) - 2 * bias, 0))
    value = math.sqrt(max(float(_divergence(one / n, two / m)) - bias, 0))
    low, high = (float(q) for q in np.quantile(draws, [0.025, 0.975]))
    statistic = float(((one * math.sqrt(m / n) - two * math.sqrt(n / m)) ** 2 / np.maximum(one + two, 1)).sum())
    return Effect(
        measure="v",
        effect=Estimate(value=value, low=min(low, value), high=max(high, value)),
        p_value=chi_square(statistic, len(one) - 1) if len(one) > 1 else 1.0,
        n_reference=n,
        n_current=m,
        others={},
    )


def missing(reference: tuple[int, int], current: tuple[int, int]) -> Effect:
    """Compare rates of missing cells, each as (missing, rows); the interval is Newcombe's."""
    found = difference(reference, current)
    n, m = reference[1], current[1]
    pooled = (reference[0] + current[0]) / (n + m)
    variance = pooled * (1 - pooled) * (1 / n + 1 / m)
    p_value = chi_square(found.value**2 / variance, 1) if variance > 0 else 1.0
    effect = Estimate(value=found.value, low=found.low, high=found.high)
    return Effect(measure="missing", effect=effect, p_value=p_value, n_reference=n, n_current=m, others={})


def _below(ordered: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    return np.searchsorted(ordered, points, side="right") / len(ordered)


def _further(one: NDArray[Any], two: NDArray[Any], rng: np.random.Generator) -> dict[str, Estimate]:
    spread = float(one.std())
    inner = np.unique(np.quantile(one, np.linspace(0, 1, _PSI_BINS + 1)[1:-1]))
    coarse = [np.diff([0, *np.searchsorted(x, inner, side="right"), len(x)]) for x in (one, two)]
    found = {"psi": _bootstrapped(_psi, coarse[0], coarse[1], rng)}
    if spread > 0:
        edges = np.unique(np.quantile(np.concatenate([one, two]), np.linspace(0, 1, _BINS + 1)))
        widths = np.diff(edges)
        fine = [np.diff([0, *np.searchsorted(x, edges[1:-1], side="right"), len(x)]) for x in (one, two)]

        def area(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
            # between the middles of neighbouring bins the two functions are compared at the edge
            gaps = np.abs(np.cumsum(p - q, axis=-1))[..., :-1]
            return np.asarray((gaps * (widths[:-1] + widths[1:]) / 2).sum(axis=-1) / spread)

        if len(widths) > 1:
            found["wasserstein"] = _bootstrapped(area, fine[0], fine[1], rng)
    return found


def _bootstrapped(measure: Any, one: NDArray[Any], two: NDArray[Any], rng: np.random.Generator) -> Estimate:
    n, m = int(one.sum()), int(two.sum())
    value = float(measure(one / n, two / m))
    draws = measure(rng.multinomial(n, one / n, _RESAMPLES) / n, rng.multinomial(m, two / m, _RESAMPLES) / m)
    low, high = (float(q) for q in np.quantile(draws, [0.025, 0.975]))
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def _psi(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
    # an empty bin would make it infinite; a ten-thousandth is the usual floor
    a, b = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    return np.asarray(((a - b) * np.log(a / b)).sum(axis=-1))


def _divergence(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
    """V² of a table of two rows with equal weights: half the sum of (p − q)² / (p + q)."""
    both = p + q
    return np.asarray((np.where(both > 0, (p - q) ** 2 / np.where(both > 0, both, 1), 0)).sum(axis=-1) / 2)


def _without_rare(one: NDArray[Any], two: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    n, m = one.sum(), two.sum()
    expected = (one + two) * min(n, m) / (n + m)
    rare = expected < _LEAST_EXPECTED
    if rare.sum() < 2:
        return one, two
    together = [np.append(x[~rare], x[rare].sum()) for x in (one, two)]
    return together[0], together[1]
