"""Intervals and comparisons for measured rates, on the standard library alone.

Every interval is two-sided at the given confidence, 95 % by default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
"""Confidence of an interval when none is given."""
_BISECTIONS = 200
_FRACTION_TERMS = 1000


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a binomial rate; (0, 1) for n = 0.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Raises:
        ValueError: successes is not within 0 .. n, or confidence not within (0, 1).
    """
    _check(successes, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z, rate = normal_quantile((1 + confidence) / 2), successes / n
    spread = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    centre, scale = rate + z * z / (2 * n), 1 + z * z / n
    # at the ends the exact values are 0 and 1; rounding must not move them
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == n else min(1.0, (centre + spread) / scale)
    return low, high


def clopper_pearson(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval of a binomial rate, which covers at least its confidence at every rate; (0, 1) for n = 0.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26, 1934, in the beta-quantile form.

    Raises:
        ValueError: successes is not within 0 .. n, or confidence not within (0, 1).
    """
    _check(successes, n, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return low, high


def mcnemar(first: Sequence[bool | int], second: Sequence[bool | int]) -> float:
    """Exact two-sided p-value that two paired 0/1 vectors have the same rate; 1 when they never differ.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947, with the binomial distribution of the discordant pairs in place of the chi-square.

    Raises:
        ValueError: the vectors differ in length.
    """
    pairs = list(zip(first, second, strict=True))
    gained = sum(1 for a, b in pairs if b and not a)
    lost = sum(1 for a, b in pairs if a and not b)
    n, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far a second rate lies above a first."""

    value: float
    """Second rate minus first."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.low > 0 or self.high < 0


def difference(first: tuple[int, int], second: tuple[int, int], confidence: float = CONFIDENCE) -> Difference:
    """Difference of two independent rates, each given as (successes, n).

    Source: Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17, 1998, method 10 (Wilson intervals combined).

    Raises:
        ValueError: a count does not fit its n, an n is 0, or confidence is not within (0, 1).
    """
    if first[1] == 0 or second[1] == 0:
        msg = "a rate of no samples cannot be compared"
        raise ValueError(msg)
    rate_1, rate_2 = first[0] / first[1], second[0] / second[1]
    low_1, high_1 = wilson(*first, confidence)
    low_2, high_2 = wilson(*second, confidence)
    value = rate_2 - rate_1
    return Difference(
        value=value,
        low=value - math.hypot(rate_2 - low_2, high_1 - rate_1),
        high=value + math.hypot(high_2 - rate_2, rate_1 - low_1),
    )


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of the median by order statistics, which needs no distribution; infinite values are allowed.

    Too few values (fewer than 6 at 95 %) cannot bound a median: the interval is then (-inf, inf).
    Source: David and Nagaraja, "Order statistics", 3rd edition, 2003, section 7.1.

    Raises:
        ValueError: confidence is not within (0, 1), or a value is NaN.
    """
    _check(0, 0, confidence)
    if any(math.isnan(value) for value in values):
        msg = "a median of NaN has no interval"
        raise ValueError(msg)
    ordered, n = sorted(values), len(values)
    # P(B <= k - 1) for B ~ Binomial(n, 1/2); the largest k with a tail of at most (1 - confidence) / 2
    below, limit, k = 0.0, (1 - confidence) / 2, 0
    while k < n and below + binomial_half(n, k) <= limit:
        below += binomial_half(n, k)
        k += 1
    return (-math.inf, math.inf) if k == 0 else (ordered[k - 1], ordered[n - k])


def binomial_half(n: int, k: int) -> float:
    """Probability of k heads in n fair tosses."""
    return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))


def normal_quantile(share: float) -> float:
    """Standard normal quantile by bisection of the error function, to the last bits of a float.

    Raises:
        ValueError: share is not within (0, 1).
    """
    if not 0 < share < 1:
        msg = f"a quantile needs a share within (0, 1), got {share}"
        raise ValueError(msg)
    if share > 0.5:
        return -normal_quantile(1 - share)
    low, high = -40.0, 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if math.erfc(-middle / math.sqrt(2)) / 2 >= share else (middle, high)
    return (low + high) / 2


def beta_quantile(share: float, a: float, b: float) -> float:
    """Quantile of the beta distribution with parameters a, b > 0, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if regularised_beta(middle, a, b) >= share else (middle, high)
    return (low + high) / 2


def regularised_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b) for x in [0, 1] and a, b > 0.

    Source: NIST Digital Library of Mathematical Functions, 8.17.22 (continued fraction), evaluated by the modified
    Lentz method (Thompson and Barnett, J. Comput. Phys. 64, 1986), and 8.17.4 (symmetry) where it converges slowly.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - regularised_beta(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) * _continued_fraction(x, a, b) / a


def _continued_fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    value, numerator, denominator = 1.0, math.inf, 1.0
    for term in range(1, _FRACTION_TERMS):
        m = term // 2
        if term % 2:
            factor = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            factor = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        denominator = 1 / (1 + factor * denominator or tiny)
        numerator = 1 + factor / numerator or tiny
        change = numerator * denominator
        value *= change
        if abs(change - 1) < 1e-15:
            break
    return value


def _check(successes: int, n: int, confidence: float) -> None:
    if not 0 <= successes <= n:
        msg = f"successes must lie within 0 .. n, got {successes} of {n}"
        raise ValueError(msg)
    if not 0 < confidence < 1:
        msg = f"confidence must lie within (0, 1), got {confidence}"
        raise ValueError(msg)
