"""What a detector costs: CPU time of this process for one request at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 5


def price_us(ask: Callable[[Any], Any], requests: Sequence[Any]) -> float:
    """Return microseconds of CPU a request, the least mean of `ROUNDS` rounds after a first one that is not counted.

    A busy machine makes a round slower and never faster, so the least one speaks of the detector.

    Args:
        ask: judges one request.
        requests: at least one.
    """
    means = []
    for _ in range(ROUNDS + 1):
        start = time.process_time_ns()
        for request in requests:
            ask(request)
        means.append((time.process_time_ns() - start) / 1000 / len(requests))
    return min(means[1:])
