"""How firmly a label stands: noisy copies of a record, asked for labels only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

LADDER = (0.05, 0.1, 0.2)
"""Strengths of the noise, in deviations of each value; chosen on training images of Fashion-MNIST: stronger noise says
more about how hard a record is than about whether it was learned."""


def noisy(
    x: NDArray[Any], keys: Keys, deviation: NDArray[Any], bounds: tuple[float, float] | None, copies: int
) -> Iterator[NDArray[np.float32]]:
    """Yield (n, …) copies of the rows, ``copies`` for each strength of the ladder.

    Args:
        x: (n, …) rows.
        keys: (n,) keys of the draws, one a row.
        deviation: (…) what one is in noise, for each value of a row.
        bounds: legal values; copies are clipped to them.
        copies: of each strength.
    """
    plain = np.asarray(x, np.float32)
    for step, strength in enumerate(LADDER):
        for copy in range(copies):
            noise = normal(keys, plain.shape[1:], stream=step * copies + copy)
            moved = plain + np.float32(strength) * np.asarray(deviation, np.float32) * noise
            yield moved if bounds is None else np.clip(moved, bounds[0], bounds[1])


def smoothed(right: NDArray[np.float64], asked: int) -> NDArray[np.float64]:
    """Return the share of right answers, kept off 0 and 1 by half an answer each, so that ratios are finite.

    Args:
        right: right answers out of ``asked``.
        asked: how often a record was asked.
    """
    return np.asarray((right + 0.5) / (asked + 1))
