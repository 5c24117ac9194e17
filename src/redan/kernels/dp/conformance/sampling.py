"""Whether each record takes part in each step on its own, as every accountant assumes.

A shuffled pass over the data has batches of one size in which each record comes once an epoch: four counts tell.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from redan.core.errors import RedanError, SubjectFailed
from redan.core.seeds import derive
from redan.kernels.dp.conformance.contract import Check, Factory, Training, made
from redan.kernels.dp.conformance.tails import squares, two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATISTICS = 4
_MOST_RECORDS = 20_000
_MOST_STEPS = 2000


def check_poisson(make: Factory, seed: int, level: float) -> Check:
    """Return whether sizes of batches, shares of records and repetitions are those of Poisson sampling."""
    rate = made(make, 1000, seed).sampling_rate
    if rate >= 1:
        return Check(name="Poisson sampling", verdict="not shown", seen="every record takes part in every step")
    n = min(max(200, math.ceil(20 / rate)), _MOST_RECORDS)
    steps = min(max(200, math.ceil(8 / rate)), _MOST_STEPS)
    training = made(make, n, derive(seed, "sampling") % 2**31)
    taking = np.stack([_taking(training, n) for _ in range(steps)])
    rate = training.sampling_rate
    found = _standardised(taking, rate)
    name, z = max(found.items(), key=lambda item: abs(item[1]))
    p = two_sided(z)
    sizes = taking.sum(axis=1)
    seen = (
        f"batches hold {sizes.mean():.4g} records with a variance of {sizes.var():.4g} "
        f"({n * rate:.4g} and {n * rate * (1 - rate):.4g} expected); least likely: {name}"
    )
    return Check(name="Poisson sampling", verdict="broken" if p < level else "kept", seen=seen, p=p)


def _taking(training: Training, n: int) -> NDArray[np.bool_]:
    try:
        places = np.asarray(training.rows()).reshape(-1)
    except RedanError:
        raise
    except Exception as err:  # code of the step's owner may raise anything
        raise SubjectFailed(f"rows() raised {type(err).__name__}: {err}") from err
    taking = np.zeros(n, np.bool_)
    if len(places):
        if places.dtype.kind not in "iu" or places.min() < 0 or places.max() >= n:
            raise SubjectFailed(f"rows() returned something else than positions in 0 … {n - 1}")
        taking[places] = True
        if taking.sum() < len(places):
            raise SubjectFailed("rows() named a record twice in one step", hint="with replacement is not Poisson")
    return taking


def _standardised(taking: NDArray[np.bool_], rate: float) -> dict[str, float]:
    """Return four statistics of who took part, (steps, n), each a standard normal number under Poisson sampling."""
    steps, n = taking.shape
    variance = rate * (1 - rate)
    kurtosis = (1 - 6 * variance) / variance
    sizes, shares = taking.sum(axis=1) - n * rate, taking.sum(axis=0) - steps * rate
    again = float((taking[1:] & taking[:-1]).sum()) - (steps - 1) * n * rate**2
    again_variance = n * ((steps - 1) * (rate**2 - rate**4) + 2 * (steps - 2) * (rate**3 - rate**4))
    return {
        "size of a batch": float(sizes.sum()) / math.sqrt(steps * n * variance),
        "spread of sizes": squares(float((sizes**2).sum()) / (n * variance), steps, kurtosis / n),
        "spread of shares": squares(float((shares**2).sum()) / (steps * variance), n, kurtosis / steps),
        "repetition in the next step": again / math.sqrt(again_variance),
    }
