"""Do two groups differ by more than is allowed? An answer that may be asked for after every event.

The evidence is a likelihood ratio whose numerator mixes over both rates with Jeffreys' prior and whose denominator is
the best that any two rates within the allowed difference can do. Under such rates it is at most a martingale of mean
one, so that by Ville's inequality it reaches 1/α with a probability of at most α however often one looks. It depends on
counts alone: in which order, or on which replica, events were seen does not matter.

Source: Wasserman, Ramdas & Balakrishnan, "Universal inference", PNAS 117, 2020, section 8 (sequential form); Krichevsky
& Trofimov, "The performance of universal encoding", IEEE Trans. Information Theory 27, 1981 (the mixture).
"""

from __future__ import annotations

import math

_BISECTIONS = 60


def log_evidence(first: tuple[int, int], second: tuple[int, int], allowed: float) -> float:
    """Return the log of the evidence that two rates, each (cases, n), differ by more than is allowed.

    Raises:
        ValueError: cases are not within 0 .. n, or what is allowed is not within [0, 1).
    """
    if not 0 <= allowed < 1 or any(not 0 <= cases <= n for cases, n in (first, second)):
        msg = f"counts {first} and {second} with {allowed} allowed are none"
        raise ValueError(msg)
    if first[1] == 0 or second[1] == 0:
        return 0.0
    if first[0] * second[1] < second[0] * first[1]:
        first, second = second, first  # so that the first rate is the higher
    p, q = first[0] / first[1], second[0] / second[1]
    if p - q > allowed:
        q = _nearest(first, second, allowed)
        p = min(1.0, q + allowed)
    return _mixed(first) + _mixed(second) - _log_likelihood(first, p) - _log_likelihood(second, q)


def _mixed(counts: tuple[int, int]) -> float:
    cases, n = counts
    return math.lgamma(cases + 0.5) + math.lgamma(n - cases + 0.5) - math.lgamma(n + 1) - math.log(math.pi)


def _log_likelihood(counts: tuple[int, int], rate: float) -> float:
    cases, n = counts
    if (cases and rate <= 0) or (n - cases and rate >= 1):
        return -math.inf
    return (cases * math.log(rate) if cases else 0.0) + ((n - cases) * math.log1p(-rate) if n - cases else 0.0)


def _nearest(first: tuple[int, int], second: tuple[int, int], allowed: float) -> float:
    """Return the lower rate of the likeliest pair that lies exactly as far apart as is allowed."""
    low, high = 0.0, 1.0 - allowed
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        rises = _slope(first, middle + allowed) + _slope(second, middle) > 0
        low, high = (middle, high) if rises else (low, middle)
    return (low + high) / 2


def _slope(counts: tuple[int, int], rate: float) -> float:
    cases, n = counts
    up = cases / rate if cases else 0.0
    down = (n - cases) / (1 - rate) if n - cases and rate < 1 else (math.inf if n - cases else 0.0)
    return up - down
