"""The noise of a step: as much as promised, on every coordinate, fresh each time, the same whoever is in the data.

Two trainings that differ in the seed alone have the same gradients, so their difference is noise alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import SubjectFailed
from redan.core.seeds import derive
from redan.kernels.dp.conformance.contract import Check, Factory, Records, made, updated
from redan.kernels.dp.conformance.gradients import N_ROWS
from redan.kernels.dp.conformance.tails import below, squares, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCKS = 16
LAGS = 2
_ENOUGH_NUMBERS = 40_000
_MOST_PAIRS = 100
_COUNTS = (100, 101, 128, 129, 256, 257, 1000, 1001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Noise of successive steps, each number with standard deviation 1 when it is as promised: (pairs, steps, d)."""

    values: NDArray[np.float64]


def draw(make: Factory, records: Records, seed: int) -> Drawn:
    """Draw noise from as many pairs of trainings as the checks need."""
    some, d = records.some([0, 1]), 0
    pairs: list[NDArray[np.float64]] = []
    while not pairs or (len(pairs) * d < _ENOUGH_NUMBERS and len(pairs) < _MOST_PAIRS):
        steps = []
        two = [made(make, N_ROWS, derive(seed, "noise", len(pairs), side) % 2**31) for side in (0, 1)]
        for _ in range(LAGS + 1):
            one, other = (updated(training, some) for training in two)
            steps.append((one - other) / (two[0].noise_multiplier * two[0].clip * math.sqrt(2)))
        pairs.append(np.stack(steps))
        d = pairs[0].shape[1]
    return Drawn(values=np.stack(pairs))


def check_scale(drawn: Drawn, level: float) -> Check:
    """Return whether the noise is as wide as promised, in all and in each part of the update."""
    first = drawn.values[:, 0, :]
    silent = int((first == 0).all(axis=0).sum())
    squared = first**2
    width = float(np.sqrt(squared.mean()))
    blocks = [part for part in np.array_split(squared, BLOCKS, axis=1) if part.size]
    p = min(below(squares(float(part.sum()), part.size)) for part in [squared, *blocks])
    seen = f"its standard deviation is {width:.4g} of what was promised, over {first.size} numbers"
    if silent:
        return Check(name="noise scale", verdict="broken", seen=f"{seen}; {silent} coordinates get no noise", p=0.0)
    return Check(name="noise scale", verdict="broken" if p < level else "kept", seen=seen, p=p)


def check_fresh(drawn: Drawn, level: float) -> Check:
    """Return whether the noise of a step says nothing about that of the next two."""
    first = drawn.values[:, 0, :].reshape(-1)
    found, p = 0.0, 1.0
    for lag in range(1, LAGS + 1):
        later = drawn.values[:, lag, :].reshape(-1)
        size = math.sqrt(float(first @ first) * float(later @ later))
        correlation = float(first @ later) / size if size else 1.0
        found = max(found, abs(correlation))
        p = min(p, two_sided(correlation * math.sqrt(len(first))))
    seen = f"noise of successive steps correlates by {found:.4g}"
    return Check(name="fresh noise", verdict="broken" if p < level else "kept", seen=seen, p=p)


def check_empty(make: Factory, records: Records, seed: int, level: float) -> Check:
    """Return whether a step that drew nobody is noise around 0: Poisson sampling makes such steps."""
    training = made(make, N_ROWS, derive(seed, "empty") % 2**31)
    try:
        noise = updated(training, records.some([])) / (training.noise_multiplier * training.clip)
    except SubjectFailed as err:
        return Check(name="empty step", verdict="broken", seen=err.message)
    p = two_sided(float(noise.sum()) / math.sqrt(len(noise)))
    narrow = below(squares(float((noise**2).sum()), len(noise)))
    seen = f"a step without records has mean {noise.mean():.3g} and standard deviation {noise.std():.4g}"
    least = min(p, narrow)
    return Check(name="empty step", verdict="broken" if least < level else "kept", seen=seen, p=least)


def check_public(make: Factory, records: Records, seed: int, level: float) -> Check:
    """Return whether promises and noise are the same for one record more: whoever counts them may not be known."""
    claims = {n: _claims(make, n, seed) for n in _COUNTS}
    pairs = [(n, m) for n, m in zip(_COUNTS[::2], _COUNTS[1::2], strict=True)]
    n, m = max(pairs, key=lambda pair: abs(math.log(claims[pair[0]][3] / claims[pair[1]][3])))
    apart, z = _wider(make, records, seed, n, m)
    p = two_sided(z)
    said = f"the update's noise is {apart:.3g} times as wide with {m} records as with {n}"
    differ = [
        name for name, column in zip(_NAMES, zip(*claims.values(), strict=True), strict=True) if len(set(column)) > 1
    ]
    if differ:
        return Check(
            name="public numbers",
            verdict="broken",
            seen=f"{' and '.join(differ)} follow the number of records; {said}",
            p=p,
        )
    return Check(name="public numbers", verdict="broken" if p < level else "kept", seen=said, p=p)


_NAMES = ("clip", "noise multiplier", "sampling rate", "normaliser")


def _claims(make: Factory, n_rows: int, seed: int) -> tuple[float, float, float, float]:
    training = made(make, n_rows, seed)
    return training.clip, training.noise_multiplier, training.sampling_rate, training.normaliser


def _wider(make: Factory, records: Records, seed: int, n: int, m: int) -> tuple[float, float]:
    """Return how many times wider the noise is with m records than with n, and that as a standard normal number."""
    some, totals, size = records.some([0, 1]), [], 0
    for count in (n, m):
        total, size, pair = 0.0, 0, 0
        while size < _ENOUGH_NUMBERS and pair < _MOST_PAIRS:
            two = [made(make, count, derive(seed, "count", count, pair, side) % 2**31) for side in (0, 1)]
            noise = np.subtract(*(updated(training, some) / training.normaliser for training in two))
            total, size, pair = total + float((noise**2).sum()), size + len(noise), pair + 1
        totals.append(total)
    if not min(totals):
        return 1.0, 0.0
    ratio = totals[1] / totals[0]
    return math.sqrt(ratio), math.log(ratio) / math.sqrt(4 / size)
