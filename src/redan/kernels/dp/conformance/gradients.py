"""What a record can do to a step: no more than its clipping norm, and nothing to what other records do.

Steps with the same seed draw the same noise, so the noise cancels in their difference and what is left is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import SubjectFailed
from redan.kernels.dp.conformance.contract import Check, Factory, Records, made, updated

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_ROWS = 1000
_SLACK = 2e-3
_LOUD_ENOUGH = 0.9
_FLOAT32 = 2.0**-23


def check_seeded(make: Factory, records: Records, seed: int) -> None:
    """Make sure that the same seed draws the same noise, on which the other checks rest.

    Raises:
        SubjectFailed: it does not.
    """
    some = records.some([0, 1])
    one, two = (updated(made(make, N_ROWS, seed), some) for _ in range(2))
    if len(one) != len(two) or np.abs(one - two).max() > 1e-4 * np.abs(one).max():
        raise SubjectFailed(
            "two steps made with the same seed differ, so their noise cannot be told from their gradients",
            hint="draw all noise of make(n_rows, seed) from that seed, and start from the same weights",
        )


def check_clipping(make: Factory, records: Records, seed: int) -> Check:
    """Return whether one record moves the sum by at most the clipping norm, in whatever company."""
    clip = made(make, N_ROWS, seed).clip
    worst, slack = 0.0, 0.0
    for places, loud in (([1, 2], False), ([1, 2], True), ([1, 2, 3, 4, 5, 6, 7], True)):
        others = records.some([p % len(records) for p in places], loud=loud)
        for canary in (records.some([0], loud=True), records.some([0])):
            moved, noise = _moved(make, others, canary, seed)
            worst, slack = max(worst, float(np.linalg.norm(moved)) / clip), max(slack, noise / clip)
    seen = f"one record moves the sum by at most {worst:.4g} clipping norms"
    if worst > 1 + _SLACK + slack:
        return Check(name="clipping", verdict="broken", seen=seen)
    if worst < _LOUD_ENOUGH:
        return Check(name="clipping", verdict="not shown", seen=f"{seen}: no record reached the norm")
    return Check(name="clipping", verdict="kept", seen=seen)


def check_separate(make: Factory, records: Records, seed: int) -> Check:
    """Return whether a record's share of the sum is the same in whatever company."""
    clip = made(make, N_ROWS, seed).clip
    places = [p % len(records) for p in range(1, 7)]
    canary = records.some([0])
    one, noise = _moved(make, records.some(places[:3]), canary, seed)
    two, _ = _moved(make, records.some(places[3:]), canary, seed)
    apart = float(np.linalg.norm(one - two)) / clip
    seen = f"in other company a record's share of the sum is {apart:.4g} clipping norms away"
    broken = apart > _SLACK + noise / clip
    return Check(name="separate records", verdict="broken" if broken else "kept", seen=seen)


def _moved(make: Factory, others: Records, canary: Records, seed: int) -> tuple[NDArray[np.float64], float]:
    """Return how a record moves the sum, and how far the rounding of single floats may reach."""
    without = updated(made(make, N_ROWS, seed), others)
    moved = updated(made(make, N_ROWS, seed), others.with_(canary)) - without
    return moved, 4 * _FLOAT32 * float(np.linalg.norm(without))
