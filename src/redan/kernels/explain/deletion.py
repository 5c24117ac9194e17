"""Whether an explanation says anything: take away what it calls important, and compare with taking away at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.explain.attribution import Probabilities

SHARES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Shares of the values of an input that are taken away."""
RANDOM_ORDERS = 3
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deletion:
    """How the probability of the answered class falls.

    Attributes:
        shares: (k,) shares of values taken away.
        kept: (n, k) probability left when the most important go first.
        random: (n, k) probability left when values go at random, mean of several orders.
        whole: (n,) probability with nothing taken away.
    """

    shares: tuple[float, ...]
    kept: NDArray[np.float64]
    random: NDArray[np.float64]
    whole: NDArray[np.float64]

    @property
    def faithfulness(self) -> tuple[float, float, float]:
        """How much further the probability falls than at random, mean over shares and rows, with its 95 % interval.

        Rows are the samples: each row's own difference is one number, and the interval is that of their mean.
        """
        each = (self.random - self.kept).mean(axis=1)
        mean = float(each.mean())
        if len(each) < 2:
            return mean, -1.0, 1.0
        half = _Z * float(each.std(ddof=1)) / len(each) ** 0.5
        return mean, max(-1.0, mean - half), min(1.0, mean + half)


def random_orders(keys: NDArray[Any], d: int, *, stream: int) -> list[NDArray[np.int64]]:
    """Return several random orders of d values for each row, the same for a row whatever rows stand beside it."""
    return [np.argsort(uniform(keys, (d,), stream=stream + i), axis=1, kind="stable") for i in range(RANDOM_ORDERS)]


def left_at_random(
    ask: Probabilities,
    x: NDArray[Any],
    classes: NDArray[Any],
    baseline: NDArray[Any],
    *,
    keys: NDArray[Any],
    shares: tuple[float, ...] = SHARES,
) -> NDArray[np.float64]:
    """Return (n, k) probability of the class left when values go at random; the same for every explanation.

    Args:
        ask: (n, …) to (n, classes) probabilities.
        x: (n, …) inputs.
        classes: (n,) classes explained.
        baseline: one input, what values are replaced by.
        keys: (n,) key of each row's random orders.
        shares: shares of the values taken away.
    """
    d = int(np.prod(x.shape[1:]))
    runs = [left(ask, x, classes, baseline, order, shares=shares) for order in random_orders(keys, d, stream=0)]
    return np.asarray(np.mean(runs, axis=0))


def deletion(
    ask: Probabilities,
    x: NDArray[Any],
    classes: NDArray[Any],
    values: NDArray[np.float64],
    baseline: NDArray[Any],
    *,
    random: NDArray[np.float64],
    shares: tuple[float, ...] = SHARES,
) -> Deletion:
    """Take away values from the most important down.

    Source: Samek et al. 2017, "Evaluating the visualization of what a deep neural network has learned", section III,
    with the same rows at random as its zero.

    Args:
        ask: (n, …) to (n, classes) probabilities.
        x: (n, …) inputs.
        classes: (n,) classes explained.
        values: (n, …) attribution.
        baseline: one input, what values are replaced by.
        random: what `left_at_random` returned.
        shares: shares of the values taken away.
    """
    order = np.argsort(-values.reshape(len(x), -1), axis=1, kind="stable")
    whole = ask(x)[np.arange(len(x)), classes]
    return Deletion(
        shares=shares, kept=left(ask, x, classes, baseline, order, shares=shares), random=random, whole=whole
    )


def left(
    ask: Probabilities,
    x: NDArray[Any],
    classes: NDArray[Any],
    baseline: NDArray[Any],
    order: NDArray[np.int64],
    *,
    shares: tuple[float, ...],
) -> NDArray[np.float64]:
    """Return (n, k) probability of the class when the first values of an order are replaced by the baseline's."""
    flat, nothing = x.reshape(len(x), -1), baseline.reshape(-1)
    d, rows = flat.shape[1], np.arange(len(x))
    found = []
    for share in shares:
        gone = order[:, : max(1, round(share * d))]
        changed = flat.copy()
        changed[rows[:, None], gone] = nothing[gone]
        found.append(ask(changed.reshape(x.shape))[rows, classes])
    return np.stack(found, axis=1)
