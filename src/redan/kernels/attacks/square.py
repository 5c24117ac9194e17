"""Square attack in lock-step: random search over windows, for an attacker who sees scores.

Source: Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial attack via
random search", ECCV 2020: algorithm 1, the distributions of algorithms 2 (Linf) and 3 (L2), the schedule of section 5.
Ours: all samples advance together, one call a query; a Linf window that would change nothing is turned over, which
spares half of the queries on single pixels; on a row of numbers the window is a run of neighbouring columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.kernels import draws
from redan.kernels.attacks.grid import Grid, OnGrid
from redan.kernels.attacks.reach import ends, norms, pulled_in
from redan.kernels.attacks.scored import Floats, Places, Standing
from redan.kernels.attacks.shorten import shorten
from redan.kernels.attacks.watch import never, silent

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.decision import Predict, Scored
    from redan.kernels.attacks.reach import Asked

_TINY = 1e-10
_SCHEDULE = ((10, 1), (50, 2), (200, 4), (500, 8), (1000, 16), (2000, 32), (4000, 64), (6000, 128), (8000, 256))
"""Query of 10 000 up to which → what the share of the window is divided by."""
_LAST_DIVISOR = 512
_SMALLEST_L2 = 3

Window: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Index arrays for an array (m, c, h, w), broadcasting to (m, c, rows, columns)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareSettings:
    """How much the attack asks."""

    queries: int = 1000
    """Queries of each sample, that of the clean input among them."""
    share: float = 0.8
    """Share of the input that the first window covers."""
    shorten: bool = False
    """Whether misclassified points are brought back towards their samples at the end, for 14 queries each."""


def square(
    scores: Predict,
    inputs: Floats,
    labels: NDArray[np.integer],
    *,
    ball: Ball,
    keys: draws.Keys,
    settings: SquareSettings,
    reach: Asked | None = None,
    batch_size: int = 10_000,
    max_queries: int | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Scored:
    """Search a misclassified point in the ball around each sample.

    Args:
        scores: maps float32 inputs (m, ...) to scores (m, k), higher is more likely; logits or logarithms serve best.
        inputs: shape (n, c, h, w), (n, h, w, c) with up to 4 channels, (n, h, w), or rows of numbers; in the box.
        labels: true classes, shape (n,).
        ball: norm, radius and legal values.
        keys: one key a sample (`draws.sample_keys`), shape (n,).
        settings: how much to ask.
        reach: what is asked in place of a point (a table's allowed rows); the point itself when None. The points of
            the result are those of the search: hand them to `reach.rows` again.
        batch_size: most rows in one call.
        max_queries: most rows in all; None: no limit.
        stop: asked between calls; a text ends the attack with the partial result and that reason.
        progress: told stage, samples fallen and samples in all.

    Raises:
        ShapeMismatch: inputs, labels and keys do not fit together, or the answers are not one row of scores each.
        SubjectFailed: an answer holds NaN.
    """
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
    search(standing, ball, settings)
    if settings.shorten:
        shorten(standing, np.flatnonzero(standing.success & (standing.spent > 1)))
    found = standing.result()
    return replace(found, points=grid.outward(found.points))


def search(standing: Standing, ball: Ball, settings: SquareSettings) -> None:
    """Go on from where each sample stands, on a grid (n, c, h, w), for `queries` - 1 further queries of each."""
    if not len(standing.inputs):
        return
    moves: _Moves = _Linf(standing, ball) if ball.norm == "linf" else _L2(standing, ball)
    channels, height, width = standing.inputs.shape[1:]
    for query in range(1, settings.queries):
        places = standing.active()
        if len(places) == 0:
            return
        if query == 1:
            moved = moves.first(places, _side(settings.share, height, width))
        else:
            random = draws.uniform(standing.keys[places], (5 + 2 * channels,), stream=query)
            share = _share(moves.scaled(query, settings.queries), settings)
            moved = moves.next(places, random, _side(share, height, width))
        standing.offer(places, moved)
        standing.asker.watch.progress("square", int(standing.success.sum()), len(standing.inputs))


def _share(query: float, settings: SquareSettings) -> float:
    """Share of the input that the window covers at this query of 10 000 (section 5)."""
    return settings.share / next((divisor for last, divisor in _SCHEDULE if query <= last), _LAST_DIVISOR)


def _side(share: float, height: int, width: int) -> int:
    """Side of a window that covers a share of the grid, at least 1; its length where the grid is one row."""
    side = share * width if height == 1 else math.sqrt(share * height * width)
    return min(max(round(side), 1), max(width, height) - 1 or 1)


class _Moves(Protocol):
    """How points are proposed under one norm."""

    def scaled(self, query: int, queries: int) -> float:
        """Where the schedule stands at a query, of 10 000."""

    def first(self, places: Places, side: int) -> Floats:
        """Propose the second point, (m, c, h, w)."""

    def next(self, places: Places, random: Floats, side: int) -> Floats:
        """Propose a point near the best one, (m, c, h, w), from draws (m, 5 + 2 c)."""


class _Linf:
    """Windows at the two ends of the ball (algorithm 2)."""

    def __init__(self, standing: Standing, ball: Ball) -> None:
        self._standing = standing
        self._low, self._high = ends(standing.inputs, ball)

    @staticmethod
    def scaled(query: int, queries: int) -> float:
        """Windows shrink to their smallest within the budget."""
        return query * 10_000 / queries

    def first(self, places: Places, side: int) -> Floats:
        """Vertical stripes, one sign a channel and column."""
        del side
        _, channels, _, width = self._standing.inputs.shape
        up = draws.uniform(self._standing.keys[places], (channels, 1, width), stream=1) < 0.5
        moved: Floats = np.where(up, self._high[places], self._low[places])
        return moved

    def next(self, places: Places, random: Floats, side: int) -> Floats:
        """One window to the ends, one sign a channel; turned over where that is where it lies already."""
        channels = self._standing.inputs.shape[1]
        moved = self._standing.points[places]
        window = _window(random[:, 0], random[:, 1], side, moved.shape)
        everywhere = (places.reshape(-1, 1, 1, 1), *window[1:])
        up = (random[:, 5 : 5 + channels] < 0.5)[:, :, None, None]
        low, high = self._low[everywhere], self._high[everywhere]
        there = moved[window]
        wanted = np.where(up, high, low)
        same = (wanted == there).all(axis=(1, 2, 3), keepdims=True)
        moved[window] = np.where(same, np.where(up, low, high), wanted)
        return moved


class _L2:
    """Windows of a decaying shape that take over the length of another window (algorithm 3)."""

    def __init__(self, standing: Standing, ball: Ball) -> None:
        self._standing = standing
        self._ball = ball

    @staticmethod
    def scaled(query: int, queries: int) -> float:
        """Windows shrink as the paper has it, whatever the budget: large ones did better at 200 to 2000 queries."""
        del queries
        return query

    def first(self, places: Places, side: int) -> Floats:
        """Tiles of the window's shape over the whole grid, one sign a tile and channel."""
        del side
        _, channels, height, width = self._standing.inputs.shape
        tile = max(1, (height if height > 1 else width) // 5)
        signs = draws.uniform(self._standing.keys[places], (channels, -(-height // tile), -(-width // tile)), stream=1)
        pattern = _mound_pair(min(tile, height), tile)
        delta = np.kron(np.where(signs < 0.5, -1.0, 1.0), pattern)[:, :, :height, :width].astype(np.float64)
        return self._on_sphere(places, delta)

    def next(self, places: Places, random: Floats, side: int) -> Floats:
        """Empty one window and give its length to another."""
        channels, height, width = self._standing.inputs.shape[1:]
        if height > 1:
            side = min(max(side, _SMALLEST_L2) | 1, height, width)
        delta = (self._standing.points[places] - self._standing.inputs[places]).astype(np.float64)
        unused = np.maximum(self._ball.eps**2 - norms(delta, "l2") ** 2, 0.0)
        target = _window(random[:, 0], random[:, 1], side, delta.shape)
        giver = _window(random[:, 2], random[:, 3], side, delta.shape)
        old = delta[target]
        given = (delta[giver] ** 2).sum(axis=(2, 3))
        delta[giver] = 0.0
        kept = (delta[target] ** 2).sum(axis=(2, 3))
        length = np.sqrt(unused[:, None] / channels + given + kept)[:, :, None, None]
        up = np.where(random[:, 5 : 5 + channels] < 0.5, -1.0, 1.0)[:, :, None, None]
        shape = _mound_pair(min(side, height), side)
        turned = (random[:, 4] < 0.5)[:, None, None, None] & (height > 1)
        new = up * np.where(turned, shape.T if height > 1 else shape, shape) + old / (_norm(old) + _TINY)
        delta[target] = new / (_norm(new) + _TINY) * length
        return self._on_sphere(places, delta)

    def _on_sphere(self, places: Places, delta: NDArray[np.float64]) -> Floats:
        inputs = self._standing.inputs[places]
        delta *= (self._ball.eps / (norms(delta, "l2") + _TINY)).reshape(-1, 1, 1, 1)
        return pulled_in(inputs + delta, inputs, self._ball)


def _window(row: Floats, column: Floats, side: int, shape: tuple[int, ...]) -> Window:
    """Index of a window of each sample; a run of columns goes round the end of the row."""
    m, channels, height, width = shape
    tall = min(side, height)
    top = (row * (height - tall + 1)).astype(np.int64)
    left = (column * (width if height == 1 else width - side + 1)).astype(np.int64)
    rows = (top[:, None] + np.arange(tall))[:, None, :, None]
    columns = ((left[:, None] + np.arange(side)) % width)[:, None, None, :]
    return np.arange(m).reshape(-1, 1, 1, 1), np.arange(channels).reshape(1, -1, 1, 1), rows, columns


def _mound(height: int, width: int) -> NDArray[np.float64]:
    """A window that is highest in its middle, of length 1 (equation 3 of section 3.3)."""
    half = max(height, width) // 2
    rows = np.abs(np.arange(height) - (height - 1) / 2) if height > 1 else np.zeros(1)
    columns = np.abs(np.arange(width) - (width - 1) / 2)
    away = np.maximum(rows[:, None], columns[None, :]).astype(np.int64)
    steps = np.cumsum(1.0 / np.arange(half + 1, 0, -1) ** 2)
    values = steps[np.clip(half - away, 0, half)]
    return np.asarray(values / np.sqrt((values**2).sum()))


def _mound_pair(height: int, width: int) -> NDArray[np.float64]:
    """Two mounds of opposite signs side by side, of length 1; one mound where there is no room for two."""
    if width < 2:
        return _mound(height, width)
    left = width // 2
    pair = np.concatenate([_mound(height, left), -_mound(height, width - left)], axis=1)
    return np.asarray(pair / np.sqrt((pair**2).sum()))


def _norm(window: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((window**2).sum(axis=(2, 3), keepdims=True)))
