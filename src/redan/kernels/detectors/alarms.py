"""Tests of an alarm rate that may be looked at after every event, from counts alone, so that replicas add up.

`log_evidence` is the logarithm of an e-value: a mixture of likelihood ratios of higher rates against the highest rate
that is allowed. Under any rate up to that one its mean is at most 1 at every time, so by Ville's inequality it ever
exceeds 1/δ with probability at most δ (Robbins 1970, "Statistical methods related to the law of the iterated
logarithm", section 3; Ramdas et al. 2023, "Game-theoretic statistics and safe anytime-valid inference", section 3).
`log_change` sums e-values over the moments when the rate may have risen, as an e-detector does (Shin, Ramdas, Rinaldo
2024, "E-detectors", section 2.2): with a threshold of c, benign traffic lasts at least c intervals on average.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FACTORS = (1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0)
"""How many times the allowed rate the alternatives are."""
_HIGHEST = 0.99


def log_evidence(alarms: int, n: int, allowed: float) -> float:
    """Return the logarithm of the evidence that the rate of alarms is above the allowed one; 0 for no events.

    Args:
        alarms: events with an alarm.
        n: all events.
        allowed: highest rate that is no finding, within (0, 1).
    """
    rates = [min(allowed * f, _HIGHEST) for f in FACTORS if allowed < _HIGHEST] or [(1 + allowed) / 2]
    gains = [
        alarms * math.log(rate / allowed) + (n - alarms) * (math.log1p(-rate) - math.log1p(-allowed)) for rate in rates
    ]
    return _log_sum(gains) - math.log(len(gains))


def log_change(counts: Sequence[tuple[int, int]], allowed: float) -> float:
    """Return the logarithm of the summed evidence of a rise at the start of each interval; -infinity for none.

    Args:
        counts: (alarms, events) of each interval in order of time.
        allowed: highest rate that is no finding.
    """
    alarms, n, found = 0, 0, []
    for a, m in reversed(counts):
        alarms, n = alarms + a, n + m
        found.append(log_evidence(alarms, n, allowed))
    return _log_sum(found) if found else -math.inf


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))
