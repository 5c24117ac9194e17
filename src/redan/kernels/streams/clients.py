"""Benign clients put together from rows of normal use, to set a threshold on: the kinds that a detector may be held to.

Five kinds in turn: rows as they come; two classes alone; three in ten queries are retries of one of the last twenty,
slightly disturbed; one camera, that is, one disturbance for all; classes that drift from the first to the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.seeds import derive
from redan.kernels import draws
from redan.kernels.streams.nuisances import disturbed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

KINDS = ("mixed", "two classes", "retries", "one camera", "drift")
CLIENTS = 400
LONGEST = 200
CAMERAS = 8
RETRIES = 0.3
BACK = 20
MOST_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Rows that clients are made of: as they are, retried once and again, and as eight cameras show them.

    Attributes:
        rows: (versions, n, …) versions 0 as they are, 1 and 2 retried, then cameras.
        classes: (n,) of the rows.
    """

    rows: NDArray[np.float32]
    classes: NDArray[np.int64]


def pool_of(x: NDArray[Any], y: NDArray[Any], seed: int, *, bounds: tuple[float, float]) -> Pool:
    """Return the pool of at most 1000 rows, drawn by seed.

    Args:
        x: (n, …) rows of normal use.
        y: (n,) their classes.
        seed: of the draws.
        bounds: lowest and highest legal value.
    """
    keys = draws.sample_keys(seed, "pool", range(len(x)))
    chosen = np.sort(np.argsort(draws.words(keys, (), stream=0))[:MOST_ROWS])
    plain = np.asarray(x[chosen], np.float32)
    noise = 0.02 * (bounds[1] - bounds[0])
    again = [
        np.clip(plain + noise * draws.normal(keys[chosen], plain.shape[1:], stream=1 + i), *bounds) for i in range(2)
    ]
    cameras = [disturbed(plain, derive(seed, "camera", i) % 2**31, bounds=bounds, alike=True) for i in range(CAMERAS)]
    return Pool(rows=np.stack([plain, *again, *cameras]).astype(np.float32), classes=np.asarray(y[chosen], np.int64))


def clients_of(pool: Pool, seed: int) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield 400 clients: their kind, and version and place in the pool of each query, in order of time."""
    n = pool.rows.shape[1]
    for number in range(CLIENTS):
        kind = KINDS[number % len(KINDS)]
        keys = draws.sample_keys(seed, f"client{number}", range(n))
        order = np.argsort(draws.words(keys, (), stream=0))
        told = draws.uniform(keys[:2], (LONGEST,), stream=1)
        versions = np.zeros(n, np.int64)
        if kind == "two classes":
            some = np.unique(pool.classes[order[:2]]) if len(order) else order
            order = order[np.isin(pool.classes[order], some)]
        elif kind == "one camera":
            versions[:] = 3 + number // len(KINDS) % CAMERAS
        elif kind == "drift":
            sliding = pool.classes + (np.ptp(pool.classes) / 2 + 1) * draws.uniform(keys, (), stream=2)
            order = order[:LONGEST][np.argsort(sliding[order[:LONGEST]], kind="stable")]
        places, versions = order[:LONGEST], versions[: min(len(order), LONGEST)]
        if kind == "retries":
            places, versions = _retried(places, versions, told)
        yield kind, versions, places


def _retried(
    places: NDArray[np.int64], versions: NDArray[np.int64], told: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put a retry of one of the last twenty in the place of three queries in ten, at most two of each."""
    places, versions = places.copy(), versions.copy()
    for i in range(1, len(places)):
        back = i - 1 - int(told[1, i] * min(i, BACK))
        if told[0, i] < RETRIES and versions[back] < 2:
            places[i], versions[i] = places[back], versions[back] + 1
    return places, versions
