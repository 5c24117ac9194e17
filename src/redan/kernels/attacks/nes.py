"""NES in lock-step: gradients estimated from scores at antithetic normal draws, then projected steps.

Source: Ilyas, Engstrom, Athalye, Lin, "Black-box adversarial attacks with limited queries and information", ICML 2018,
section 3.1 (the estimator) and 3.2 (projected steps). Ours: the margin in place of the cross-entropy, all samples
together in one call an estimate, and a step that halves where it helps no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redan.kernels import draws
from redan.kernels.attacks.grid import Grid, OnGrid
from redan.kernels.attacks.reach import pulled_in
from redan.kernels.attacks.scored import Floats, Places, Standing
from redan.kernels.attacks.shorten import shorten
from redan.kernels.attacks.watch import never, silent

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.decision import Predict, Scored
    from redan.kernels.attacks.reach import Asked

_TINY = 1e-12
_SMALLEST_STEP = 1 / 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NesSettings:
    """How much the attack asks."""

    queries: int = 1000
    """Queries of each sample, at most."""
    samples: int = 50
    """Points of one estimate, an even number: each draw is used in both directions."""
    width: float = 0.1
    """Standard deviation of the draws, as a share of what a coordinate moves in the ball."""
    step: float = 0.5
    """First step, as a share of the radius."""
    momentum: float = 0.5
    """Share of the last estimate in the next."""
    shorten: bool = False
    """Whether misclassified points are brought back towards their samples at the end, for 14 queries each."""


def nes(
    scores: Predict,
    inputs: Floats,
    labels: NDArray[np.integer],
    *,
    ball: Ball,
    keys: draws.Keys,
    settings: NesSettings,
    reach: Asked | None = None,
    batch_size: int = 10_000,
    max_queries: int | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Scored:
    """Search a misclassified point in the ball around each sample; arguments and errors as in `square`."""
    grid = Grid.of(inputs.shape)
    standing = Standing(
        scores,
        grid.inward(np.asarray(inputs, dtype=np.float32)),
        labels,
        keys,
        reach=OnGrid(grid, reach),
        batch_size=batch_size,
        max_queries=max_queries,
        stop=stop,
        progress=progress,
    )
    standing.start()
    climb = _Climb(standing, ball, settings)
    for number in range((settings.queries - 1) // (settings.samples + 1)):
        places = standing.active()
        if len(places) == 0 or not climb.advance(places, number):
            break
        progress("nes", int(standing.success.sum()), len(labels))
    if settings.shorten:
        shorten(standing, np.flatnonzero(standing.success & (standing.spent > 1)))
    found = standing.result()
    return replace(found, points=grid.outward(found.points))


class _Climb:
    """Estimates and steps; each sample has its own step length and momentum."""

    def __init__(self, standing: Standing, ball: Ball, settings: NesSettings) -> None:
        self._standing, self._ball, self._settings = standing, ball, settings
        self._size = max(1, int(np.prod(standing.inputs.shape[1:])))
        self._steps = np.full(len(standing.inputs), settings.step)
        self._slopes = np.zeros(standing.inputs.shape)

    def advance(self, places: Places, number: int) -> bool:
        """One estimate and one step for each sample; False when stopped."""
        together = max(1, self._standing.asker.batch_size // self._settings.samples)
        for first in range(0, len(places), together):
            if not self._estimate(places[first : first + together], number):
                return False
        slopes = self._slopes[places]
        steps = (self._steps[places] * self._ball.eps).reshape(-1, 1, 1, 1)
        if self._ball.norm == "linf":
            moves = -np.sign(slopes) * steps
        else:
            moves = -slopes / (np.sqrt((slopes**2).sum(axis=(1, 2, 3), keepdims=True)) + _TINY) * steps
        points = pulled_in(self._standing.points[places] + moves, self._standing.inputs[places], self._ball)
        kept = self._standing.offer(places, points)
        if kept is None:
            return False
        self._steps[places[~kept]] = np.maximum(self._steps[places[~kept]] / 2, _SMALLEST_STEP * self._settings.step)
        return True

    def _estimate(self, places: Places, number: int) -> bool:
        """Slope of the margin at each sample's best point from `samples` points around it (section 3.1)."""
        half = self._settings.samples // 2
        noise = draws.normal(self._standing.keys[places], (half, *self._standing.inputs.shape[1:]), stream=number + 1)
        spread = self._ball.eps * self._settings.width / (1 if self._ball.norm == "linf" else self._size**0.5)
        centres = self._standing.points[places, None]
        both = np.concatenate([centres + spread * noise, centres - spread * noise], axis=1)
        points = both.reshape(-1, *self._standing.inputs.shape[1:])
        owners = np.repeat(places, 2 * half)
        answer = self._standing.ask(owners, pulled_in(points, self._standing.inputs[owners], self._ball))
        if answer is None:
            return False
        margins = answer[0].reshape(len(places), 2, half)
        slopes = np.einsum("nm,nm...->n...", margins[:, 0] - margins[:, 1], noise)
        lengths = np.sqrt((slopes**2).sum(axis=(1, 2, 3), keepdims=True)) + _TINY
        share = self._settings.momentum
        self._slopes[places] = share * self._slopes[places] + (1 - share) * slopes / lengths
        return True
