"""HopSkipJump in lock-step: a decision-based attack that sees labels only.

Source: Chen, Jordan, Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", S&P 2020: algorithms 1
(binary search) and 2 (the attack), gradient estimate of equation 16, step sizes of section IV.C. Three changes, all
for a remote endpoint that pays for calls rather than rows: all samples advance together, a search tries several points
of its bracket in one call, and the first point is the nearest sample the model already gave another label.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch
from redan.kernels import draws
from redan.kernels.attacks.decision import Asker, Decided
from redan.kernels.attacks.reach import Anywhere, Reach, norms
from redan.kernels.attacks.watch import Watch, never, silent

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Box, Norm

Floats: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]

_TINY = 1e-12
_ESTIMATE_STREAMS = 1_000_000
"""Streams below are random starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopSkipJumpSettings:
    """How much the attack asks."""

    iterations: int = 10
    """Rounds of gradient estimate, step and boundary search."""
    first_estimate: int = 100
    """Points of the first gradient estimate; it grows with the root of the round."""
    most_estimate: int = 1000
    """Points of a gradient estimate, at most."""
    step_tries: int = 12
    """Step lengths tried in one call, each half of the one before."""
    search_fan: int = 7
    """Points of a bracket tried in one call."""
    start_tries: int = 16
    """Random points tried for a sample that no other sample gives a start."""


def hopskipjump(
    predict: Callable[[Floats], NDArray[np.integer]],
    inputs: Floats,
    labels: NDArray[np.integer],
    *,
    norm: Norm,
    box: Box,
    keys: draws.Keys,
    settings: HopSkipJumpSettings,
    batch_size: int = 10_000,
    max_queries: int | None = None,
    rest_within: float = 0.0,
    reach: Reach | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Decided:
    """Search the nearest point of another label for each sample.

    Args:
        predict: maps float32 inputs (m, ...) to labels (m,).
        inputs: shape (n, ...), inside the box.
        labels: true classes, shape (n,).
        norm: distance to make small.
        box: legal values.
        keys: one key a sample (`draws.sample_keys`), shape (n,).
        settings: how much to ask.
        batch_size: most rows in one call.
        max_queries: most rows in all; None: no limit.
        rest_within: a sample rests once its distance is no larger; 0 never rests.
        reach: what is asked in place of a point (a table's allowed rows) and how far that is; the point itself when
            None. The points of the result are those of the search: hand them to `reach.rows` again.
        stop: asked between calls; a text ends the attack with the partial result and that reason.
        progress: told stage, samples done and samples in all.

    Raises:
        ShapeMismatch: inputs, labels and keys do not fit together, or the answers are not one label a row.
    """
    inputs = np.ascontiguousarray(inputs, dtype=np.float32)
    if len(labels) != len(inputs) or len(keys) != len(inputs):
        msg = f"{len(inputs)} inputs need as many labels and keys, got {len(labels)} and {len(keys)}"
        raise ShapeMismatch(msg)
    asker = Asker(predict, batch_size=batch_size, max_queries=max_queries, watch=Watch(stop=stop, progress=progress))
    asked = reach or Anywhere(inputs, norm)
    jump = _Jump(asker, inputs, np.asarray(labels), asked, norm=norm, box=box, keys=keys, settings=settings)
    jump.start()
    for iteration in range(settings.iterations):
        if not jump.advance(iteration, rest_within):
            break
        asker.watch.progress("hopskipjump", iteration + 1, settings.iterations)
    return jump.result()


class _Jump:
    """All samples of one attack: where each stands (`points`, `reach`) and the best it met (`nearest`, `distance`)."""

    def __init__(
        self,
        asker: Asker,
        inputs: Floats,
        labels: NDArray[np.integer],
        asked: Reach,
        *,
        norm: Norm,
        box: Box,
        keys: draws.Keys,
        settings: HopSkipJumpSettings,
    ) -> None:
        self._asker, self._inputs, self._labels, self._asked = asker, inputs, labels, asked
        self._norm, self._box, self._keys, self._settings = norm, box, keys, settings
        self._points, self._reach = inputs.copy(), np.full(len(inputs), np.inf)
        self._nearest, self._distance = self._points.copy(), self._reach.copy()
        self._dimension = math.prod(inputs.shape[1:])
        # section IV.B: the search ends when its bracket is this narrow
        self._width = self._dimension ** (-1.5 if norm == "l2" else -2.0)

    def start(self) -> None:
        """Classify the inputs and give each well-classified sample a point of another label on the boundary."""
        answers = self._asker.labels(self._asked.rows(self._inputs, np.arange(len(self._inputs))))
        if answers is None:
            return
        self._distance[answers != self._labels] = 0.0
        for place in np.flatnonzero(answers == self._labels):
            self._adopt(int(place), answers)
        if not self._asked.everywhere:
            self._check_starts()
        for attempt in range(self._settings.start_tries):
            homeless = np.flatnonzero(np.isinf(self._reach) & (self._distance > 0))
            if len(homeless) == 0:
                break
            noise = draws.uniform(self._keys[homeless], self._inputs.shape[1:], stream=attempt)
            points = (self._box.low + noise * (self._box.high - self._box.low)).astype(np.float32)
            wrong = self._wrong(homeless, points[:, None])
            if wrong is None:
                return
            self._move(homeless[wrong[:, 0]], points[wrong[:, 0]])
        self._search(np.flatnonzero(np.isfinite(self._reach)))

    def _adopt(self, place: int, answers: NDArray[np.integer]) -> None:
        """Start from the nearest other sample the model gives another label than this one's."""
        others = np.flatnonzero(answers != self._labels[place])
        lengths = self._lengths(self._inputs[others] - self._inputs[place])
        # an equal input with another answer (a random model) is no start
        others, lengths = others[lengths > 0], lengths[lengths > 0]
        if len(others):
            best = int(lengths.argmin())
            self._move(np.array([place]), self._inputs[others[best : best + 1]])

    def _check_starts(self) -> None:
        """Drop the starts that may not be asked as they are and get the true label once they may."""
        chosen = np.flatnonzero(np.isfinite(self._reach))
        points = self._points[chosen]
        self._points[chosen], self._reach[chosen] = self._inputs[chosen], np.inf
        self._nearest[chosen], self._distance[chosen] = self._inputs[chosen], np.inf
        wrong = self._wrong(chosen, points[:, None])
        if wrong is not None:
            self._move(chosen[wrong[:, 0]], points[wrong[:, 0]])

    def advance(self, iteration: int, rest_within: float) -> bool:
        """One round for every sample that is not at rest; False when there is none or the watch says stop."""
        active = np.flatnonzero(np.isfinite(self._reach) & (self._distance > rest_within))
        if len(active) == 0 or self._asker.watch.reason is not None:
            return False
        directions = self._estimate(active, iteration)
        if directions is None:
            return False
        self._step(active, directions, iteration)
        self._search(active)
        return self._asker.watch.reason is None

    def result(self) -> Decided:
        """What is known now."""
        return Decided(
            adversarial=self._nearest,
            distance=self._distance,
            queries=self._asker.rows,
            calls=self._asker.calls,
            complete=self._asker.watch.reason is None,
            reason=self._asker.watch.reason,
        )

    def _estimate(self, active: Places, iteration: int) -> Floats | None:
        """Direction that leads away from the true label, estimated at the boundary from labels alone (equation 16)."""
        count = min(int(self._settings.first_estimate * math.sqrt(iteration + 1)), self._settings.most_estimate)
        together = max(1, self._asker.batch_size // count)
        parts = []
        for first in range(0, len(active), together):
            part = self._estimate_part(active[first : first + together], count, iteration)
            if part is None:
                return None
            parts.append(part)
        return np.concatenate(parts)

    def _estimate_part(self, places: Places, count: int, iteration: int) -> Floats | None:
        shape = (count, *self._inputs.shape[1:])
        stream = _ESTIMATE_STREAMS + iteration
        if self._norm == "l2":
            noise = draws.normal(self._keys[places], shape, stream=stream)
        else:
            noise = draws.uniform(self._keys[places], shape, stream=stream) * 2 - 1
        flat = noise.reshape(len(places), count, -1)
        flat /= np.linalg.norm(flat, axis=2, keepdims=True) + _TINY
        radius = self._column(self._radii(places, iteration), noise)
        centres = self._points[places, None]
        near = self._clip(centres + radius * noise)
        # clipping moves points, so the directions really tried are what the answers speak of
        tried = (near - centres) / radius
        answers = self._answers(places, near)
        if answers is None:
            return None
        signs = np.where(answers != self._labels[places, None], 1.0, -1.0)
        means = signs.mean(axis=1, keepdims=True)
        # all answers alike say nothing about the middle: then their plain mean is the estimate
        weights = np.where(np.abs(means) < 1, signs - means, signs).astype(np.float32)
        direction = np.einsum("nc,nc...->n...", weights, tried, optimize=True)
        if self._norm == "linf":
            signs_only: Floats = np.sign(direction).astype(np.float32)
            return signs_only
        lengths = np.linalg.norm(direction.reshape(len(places), -1), axis=1) + _TINY
        unit: Floats = (direction / self._column(lengths, direction)).astype(np.float32)
        return unit

    def _radii(self, places: Places, iteration: int) -> NDArray[np.float64]:
        """Radius of the estimate of each sample (section IV.C); the first one is a tenth of the box."""
        if iteration == 0:
            return np.full(len(places), 0.1 * (self._box.high - self._box.low))
        share = self._width * (math.sqrt(self._dimension) if self._norm == "l2" else self._dimension)
        radii: NDArray[np.float64] = np.maximum(share * self._reach[places], _TINY)
        return radii

    def _step(self, active: Places, directions: Floats, iteration: int) -> None:
        """Move as far along the direction as the label stays wrong, up to distance / sqrt(round)."""
        lengths = self._reach[active] / math.sqrt(iteration + 1)
        halves = 0.5 ** np.arange(self._settings.step_tries)
        scale = self._column(lengths[:, None] * halves, directions[:, None])
        points = self._clip(self._points[active, None] + scale * directions[:, None])
        wrong = self._wrong(active, points)
        if wrong is not None:
            some, longest = wrong.any(axis=1), wrong.argmax(axis=1)
            self._move(active[some], points[some, longest[some]])

    def _search(self, active: Places) -> None:
        """Bring each point to the boundary on its way to the input (algorithm 1, several points a call)."""
        low, high = np.zeros(len(active)), np.ones(len(active))
        far, fan = self._points[active], self._settings.search_fan
        shares = np.arange(1, fan + 1) / (fan + 1)
        while len(active) and float((high - low).max()) > self._width:
            tried = low[:, None] + (high - low)[:, None] * shares
            points = self._between(active, far, tried)
            wrong = self._wrong(active, points)
            if wrong is None:
                return
            some, first = wrong.any(axis=1), wrong.argmax(axis=1)
            self._move(active[some], points[some, first[some]])
            rows = np.arange(len(active))
            # the bracket: from the last right point before the first wrong one to that one
            edges = np.concatenate([low[:, None], tried, high[:, None]], axis=1)
            upper = np.where(some, first + 1, fan + 1)
            low, high = edges[rows, upper - 1], edges[rows, upper]

    def _between(self, places: Places, far: Floats, shares: NDArray[np.float64]) -> Floats:
        """Points between input (share 0) and far point (share 1): on the segment, or clipped to a smaller cube."""
        clean, moves = self._inputs[places, None], (far - self._inputs[places])[:, None]
        scale = self._column(shares, moves)
        if self._norm == "l2":
            return self._clip(clean + scale * moves)
        limit = scale * np.abs(moves).max(axis=tuple(range(2, moves.ndim)), keepdims=True)
        return self._clip(clean + np.clip(moves, -limit, limit))

    def _wrong(self, places: Places, points: Floats) -> NDArray[np.bool_] | None:
        """Whether each of several points (k, m, ...) of each place gets a wrong label, (k, m); None: stopped."""
        answers = self._answers(places, points)
        return None if answers is None else answers != self._labels[places, None]

    def _answers(self, places: Places, points: Floats) -> NDArray[np.integer] | None:
        """Labels of several points (k, m, ...) of each place, (k, m)."""
        flat, owners = points.reshape(-1, *self._inputs.shape[1:]), np.repeat(places, points.shape[1])
        answers = self._asker.labels(self._asked.rows(flat, owners))
        return None if answers is None else answers.reshape(points.shape[:2])

    def _move(self, places: Places, points: Floats) -> None:
        """Stand at points of a wrong label, and remember them where what was asked is the nearest met."""
        lengths = self._lengths(points - self._inputs[places])
        self._points[places], self._reach[places] = points, lengths
        lengths = lengths if self._asked.everywhere else self._asked.lengths(points, places)
        nearer = lengths < self._distance[places]
        self._nearest[places[nearer]], self._distance[places[nearer]] = points[nearer], lengths[nearer]

    def _lengths(self, moves: Floats) -> NDArray[np.float64]:
        return norms(moves.astype(np.float64), self._norm)

    def _clip(self, points: NDArray[np.floating]) -> Floats:
        inside: Floats = np.clip(points, self._box.low, self._box.high).astype(np.float32)
        return inside

    @staticmethod
    def _column(values: NDArray[np.float64], like: NDArray[np.floating]) -> Floats:
        """Append axes to values so that they broadcast over the trailing axes of `like`."""
        return values.reshape(values.shape + (1,) * (like.ndim - values.ndim)).astype(np.float32)
