"""The skew normal distribution, fitted by moments, with a lower tail that does not underflow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SKEW = 0.99
"""Largest skewness that the distribution can have is 0.995; moments of a sample may lie beyond."""
REACH = 40.0
POINTS = 801


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewNormal:
    """Density 2/scale · φ(z) · Φ(shape · z) with z = (x − place) / scale.

    Source: Azzalini 1985, "A class of distributions which includes the normal ones".
    """

    place: float
    scale: float
    shape: float

    def log2_below(self, x: float) -> float:
        """Return the logarithm to base 2 of the probability of at most x, far into the tail, by Simpson's rule."""
        top = min((x - self.place) / self.scale, REACH)
        # the density falls at least as fast as a normal one, so a few widths below hold all that counts
        z = np.linspace(top - 12.0 - max(0.0, top), top, POINTS)
        logs = math.log(2) - z * z / 2 - math.log(2 * math.pi) / 2 + log_normal_below(self.shape * z)
        weights = np.where(np.arange(POINTS) % 2 == 1, 4.0, 2.0)
        weights[[0, -1]] = 1.0
        peak = float(logs.max())
        total = float((weights * np.exp(logs - peak)).sum()) * float(z[1] - z[0]) / 3
        return min(0.0, (peak + math.log(total)) / math.log(2))


def fitted(values: NDArray[Any]) -> SkewNormal:
    """Fit to values (n,) by mean, variance and skewness.

    Source: Azzalini 1985, section 3, solved for the parameters.

    Raises:
        ValueError: fewer than three values, or all the same.
    """
    mean, deviation = float(np.mean(values)), float(np.std(values))
    if len(values) < 3 or not deviation > 0:
        msg = f"a distribution needs three values that differ, got {len(values)} with deviation {deviation:g}"
        raise ValueError(msg)
    skew = float(np.mean(((values - mean) / deviation) ** 3))
    bent = min(abs(skew), MOST_SKEW) ** (2 / 3)
    delta = math.copysign(math.sqrt(math.pi / 2 * bent / (bent + ((4 - math.pi) / 2) ** (2 / 3))), skew)
    scale = deviation / math.sqrt(1 - 2 * delta * delta / math.pi)
    place = mean - scale * delta * math.sqrt(2 / math.pi)
    return SkewNormal(place=place, scale=scale, shape=delta / math.sqrt(max(1e-12, 1 - delta * delta)))


def log_normal_below(z: NDArray[Any]) -> NDArray[np.float64]:
    """Return the natural logarithm of the standard normal distribution function, also far below zero.

    Source: Abramowitz & Stegun 1964, 26.2.12, four terms, below −10; the error function elsewhere.
    """
    near = np.clip(z, -10.0, None)
    direct = np.log(np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in near.tolist()]))
    far = np.clip(z, None, -10.0)
    square = 1 / (far * far)
    series = 1 - square * (1 - 3 * square * (1 - 5 * square * (1 - 7 * square)))
    tail = -far * far / 2 - np.log(-far * math.sqrt(2 * math.pi)) + np.log(series)
    return np.asarray(np.where(z > -10, direct, tail))
