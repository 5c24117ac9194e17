"""SimBA in lock-step: one direction of an orthonormal basis after another, for an attacker who sees scores.

Source: Guo, Gardner, You, Wilson, Weinberger, "Simple black-box adversarial attacks", ICML 2019, algorithm 1; the
cosine basis of its section 3.2. All samples advance together; each walks the basis in an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

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

_LOW_SHARE = 0.25
"""Share of the frequencies of each axis that are tried before the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimbaSettings:
    """How much the attack asks."""

    queries: int = 1000
    """Queries of each sample, at most."""
    basis: Literal["pixels", "cosines"] = "cosines"
    """Directions: single coordinates, or two-dimensional cosines with the low frequencies first."""
    step: float = 0.0
    """Length of one step; 0: the ball's radius under Linf with pixels, else a fifth of it."""
    shorten: bool = False
    """Whether misclassified points are brought back towards their samples at the end, for 14 queries each."""


def simba(
    scores: Predict,
    inputs: Floats,
    labels: NDArray[np.integer],
    *,
    ball: Ball,
    keys: draws.Keys,
    settings: SimbaSettings,
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
    walk(standing, ball, settings)
    if settings.shorten:
        shorten(standing, np.flatnonzero(standing.success & (standing.spent > 1)))
    found = standing.result()
    return replace(found, points=grid.outward(found.points))


def walk(standing: Standing, ball: Ball, settings: SimbaSettings) -> None:
    """Go on from where each sample stands, on a grid (n, c, h, w), until each has spent `queries` in all."""
    steps, turn = _Walk(standing, ball, settings), 0
    while steps.turn(turn):
        turn += 1
        standing.asker.watch.progress("simba", int(standing.success.sum()), len(standing.inputs))


class _Walk:
    """The basis, the order in which each sample walks it, and one step."""

    def __init__(self, standing: Standing, ball: Ball, settings: SimbaSettings) -> None:
        self._standing, self._ball, self._settings = standing, ball, settings
        _, self._channels, height, width = standing.inputs.shape
        self._rows, self._columns = _cosines(height), _cosines(width)
        self._order = _order(standing.keys, self._channels, height, width, settings.basis)
        corner = ball.norm == "linf" and settings.basis == "pixels"
        self._step = settings.step or (ball.eps if corner else 0.2 * ball.eps * (1 if ball.norm == "l2" else 5))

    def turn(self, turn: int) -> bool:
        """Try each sample's next direction forwards, then backwards where that did not help; False at the end."""
        places = self._standing.active()
        places = places[self._standing.spent[places] < self._settings.queries]
        if len(places) == 0:
            return False
        directions = self._directions(self._order[places, turn % self._order.shape[1]])
        for sign in (1.0, -1.0):
            kept = self._standing.offer(places, self._moved(places, sign * directions))
            if kept is None:
                return False
            stays = ~kept & (self._standing.spent[places] < self._settings.queries)
            places, directions = places[stays], directions[stays]
            if len(places) == 0:
                break
        return True

    def _moved(self, places: Places, directions: NDArray[np.float64]) -> Floats:
        points = self._standing.points[places] + self._step * directions
        return pulled_in(points, self._standing.inputs[places], self._ball)

    def _directions(self, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Basis vectors (m, c, h, w) by their numbers (m,)."""
        height, width = len(self._rows), len(self._columns)
        channel, place = np.divmod(numbers, height * width)
        row, column = np.divmod(place, width)
        found = np.zeros((len(numbers), self._channels, height, width))
        if self._settings.basis == "pixels":
            found[np.arange(len(numbers)), channel, row, column] = 1.0
        else:
            waves = self._rows[row][:, :, None] * self._columns[column][:, None, :]
            found[np.arange(len(numbers)), channel] = waves
        return found


def _cosines(length: int) -> NDArray[np.float64]:
    """Orthonormal cosines of one axis by frequency, (length, length): the second discrete cosine transform."""
    places, frequencies = np.arange(length) + 0.5, np.arange(length)
    waves = np.cos(np.pi * frequencies[:, None] * places[None, :] / length)
    return np.asarray(waves / np.sqrt((waves**2).sum(axis=1, keepdims=True)))


def _order(keys: draws.Keys, channels: int, height: int, width: int, basis: str) -> NDArray[np.int64]:
    """Numbers of the basis vectors in each sample's own order, (n, c h w); low cosines before the others."""
    rank = draws.uniform(keys, (channels, height, width), stream=1).astype(np.float64)
    if basis == "cosines":
        high_row = np.arange(height) >= max(1.0, _LOW_SHARE * height)
        high_column = np.arange(width) >= max(1.0, _LOW_SHARE * width)
        rank = rank + (high_row[:, None] | high_column[None, :])
    return np.asarray(rank.reshape(len(keys), -1).argsort(axis=1, kind="stable"))
