"""Randomised smoothing: what a classifier says about noisy copies of an input, with a radius that likely holds.

The smoothed classifier answers the class that the base classifier gives most often under Gaussian noise. When the noisy
copies vote for a class with a probability of at least p > 1/2, no point within σ Φ⁻¹(p) in the Euclidean norm changes
the smoothed answer. Only labels are needed.

Source: Cohen, Rosenfeld and Kolter 2019, "Certified adversarial robustness via randomized smoothing", theorem 1 and
section 3.2.2 (the procedures Certify and Predict).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import normal
from redan.kernels.statistics import clopper_pearson, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.kernels.draws import Keys

ABSTAINED = -1
"""Instead of a class: the votes do not tell."""
_BLOCK = 64
"""Copies that share a stream: fixed, so that the noise of a copy does not depend on batches."""
_FIRST, _SECOND = 0, 1 << 20
"""First stream of the draws that choose a class, and of those that measure it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothing:
    """How an input is smoothed and certified."""

    sigma: float
    """Standard deviation of the noise, on the inputs' own scale."""
    n0: int = 50
    """Noisy copies that choose the class."""
    n: int = 1000
    """Noisy copies, others than those, that measure how often it is given."""
    alpha: float = 0.001
    """Probability, for each input, that its radius is too large."""

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if not self.sigma > 0 or not 0 < self.alpha < 1 or self.n0 < 1 or self.n < 1:
            msg = f"smoothing needs sigma > 0, alpha in (0, 1) and at least one copy, got {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Smoothed:
    """What the smoothed classifier says about inputs."""

    label: NDArray[np.int64]
    """(n,) class, or ABSTAINED."""
    radius: NDArray[np.float64]
    """(n,) Euclidean distance within which the class stays, 0 where it abstained."""
    done: NDArray[np.bool_]
    """(n,) whether it was measured before the end."""
    queries: int
    """Noisy copies that the base classifier saw."""
    reason: str | None
    """Why it was cut short, if it was."""


def smooth(
    predict: Callable[[NDArray[np.float32]], NDArray[np.integer]],
    x: NDArray[np.float32],
    settings: Smoothing,
    *,
    keys: Keys,
    batch_rows: int = 2000,
    stop: Callable[[], str | None],
) -> Smoothed:
    """Certify inputs, many of them in each call of the base classifier.

    Args:
        predict: labels (m,) of inputs (m, …); noisy copies leave the bounds of the inputs.
        x: (n, …).
        settings: noise and confidence.
        keys: one key an input, so that its noise depends on nothing else.
        batch_rows: most rows in one call; changes no result.
        stop: asked between calls.
    """
    count = len(x)
    label, radius = np.full(count, ABSTAINED, np.int64), np.zeros(count)
    done, queries, reason = np.zeros(count, np.bool_), 0, None
    step = max(1, batch_rows // max(settings.n0, settings.n))
    for begin in range(0, count, step):
        places = np.arange(begin, min(begin + step, count))
        first = _votes(predict, x, places, settings.n0, settings.sigma, keys, _FIRST, batch_rows, stop)
        second = _votes(predict, x, places, settings.n, settings.sigma, keys, _SECOND, batch_rows, stop)
        if first is None or second is None:
            reason = stop() or "stopped"
            break
        queries += first.size + second.size
        for row, place in enumerate(places):
            label[place], radius[place] = verdict(first[row], second[row], settings)
        done[places] = True
    return Smoothed(label=label, radius=radius, done=done, queries=queries, reason=reason)


def verdict(first: NDArray[np.integer], second: NDArray[np.integer], settings: Smoothing) -> tuple[int, float]:
    """Class and radius from the votes that choose and the votes that measure, or (ABSTAINED, 0)."""
    classes, counts = np.unique(first, return_counts=True)
    chosen = int(classes[counts.argmax()])
    # the lower end of a two-sided interval at 1 - 2 alpha is a one-sided bound at 1 - alpha
    low, _ = clopper_pearson(int((second == chosen).sum()), len(second), 1 - 2 * settings.alpha)
    return (chosen, settings.sigma * normal_quantile(low)) if low > 0.5 else (ABSTAINED, 0.0)


def votes_of(
    predict: Callable[[NDArray[np.float32]], NDArray[np.integer]],
    x: NDArray[np.float32],
    *,
    sigma: float,
    copies: int,
    keys: Keys,
    batch_rows: int = 2000,
) -> NDArray[np.int64]:
    """Labels (n, copies) of noisy copies of inputs (n, …), at most ``batch_rows`` in one call."""
    found = [np.zeros((0, copies), np.int64)]
    step = max(1, batch_rows // copies)
    for begin in range(0, len(x), step):
        places = np.arange(begin, min(begin + step, len(x)))
        votes = _votes(predict, x, places, copies, sigma, keys, _FIRST, batch_rows, lambda: None)
        assert votes is not None
        found.append(votes)
    return np.concatenate(found)


def _votes(
    predict: Callable[[NDArray[np.float32]], NDArray[np.integer]],
    x: NDArray[np.float32],
    places: NDArray[np.int64],
    copies: int,
    sigma: float,
    keys: Keys,
    stream: int,
    batch_rows: int,
    stop: Callable[[], str | None],
) -> NDArray[np.int64] | None:
    """Labels (inputs, copies) of noisy copies of some inputs, or None when asked to stop."""
    shape, blocks = x.shape[1:], -(-copies // _BLOCK)
    step = max(1, batch_rows // (len(places) * _BLOCK))
    parts = []
    for begin in range(0, blocks, step):
        if stop():
            return None
        numbers = range(begin, min(begin + step, blocks))
        drawn = [normal(keys[places], (_BLOCK, *shape), stream=stream + one) for one in numbers]
        noise = np.concatenate(drawn, axis=1)[:, : copies - begin * _BLOCK]
        noisy = (x[places, None] + np.float32(sigma) * noise).reshape(-1, *shape)
        parts.append(np.asarray(predict(noisy), np.int64).reshape(len(places), -1))
    return np.concatenate(parts, axis=1)
