"""Where each sample of a score-based attack stands: its best point, its margin, what it cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch
from redan.kernels.attacks.decision import Asker, Predict, Scored
from redan.kernels.attacks.watch import Watch, never, silent

if TYPE_CHECKING:
    from redan.kernels.draws import Keys

Floats: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]
Project: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]
"""Maps points (m, ...) of the samples at places (m,) to the points that may be asked, (m, ...)."""


def unchanged(points: Floats, places: Places) -> Floats:
    """Allow every point: the projection where nothing but ball and box constrains."""
    del places
    return points


class Standing:
    """Best point, margin and cost of each sample; n samples.

    Args:
        scores: maps inputs (m, ...) to scores (m, k), higher is more likely.
        inputs: shape (n, ...).
        labels: true classes, shape (n,).
        keys: one key a sample, shape (n,).
        project: what is done to every point before it is asked.
        batch_size: most rows in one call.
        max_queries: most rows in all; None: no limit.
        stop: asked between calls; a text ends the attack.
        progress: told stage, samples done and samples in all.

    Raises:
        ShapeMismatch: inputs, labels and keys do not fit together.
    """

    def __init__(
        self,
        scores: Predict,
        inputs: Floats,
        labels: NDArray[np.integer],
        keys: Keys,
        *,
        project: Project = unchanged,
        batch_size: int = 10_000,
        max_queries: int | None = None,
        stop: Callable[[], str | None] = never,
        progress: Callable[[str, int, int], None] = silent,
    ) -> None:
        if not len(labels) == len(inputs) == len(keys):
            msg = f"{len(inputs)} inputs need as many labels and keys, got {len(labels)} and {len(keys)}"
            raise ShapeMismatch(msg)
        watch = Watch(stop=stop, progress=progress)
        self.asker = Asker(scores, batch_size=batch_size, max_queries=max_queries, watch=watch)
        self.inputs: Floats = np.ascontiguousarray(inputs, dtype=np.float32)
        self.keys = keys
        self.points = self.inputs.copy()
        self.margin = np.full(len(inputs), np.inf)
        self.success = np.zeros(len(inputs), dtype=np.bool_)
        self.spent = np.zeros(len(inputs), dtype=np.int64)
        self._labels = np.asarray(labels)
        self._project = project

    def start(self) -> None:
        """Ask about the inputs themselves."""
        if len(self.inputs):
            self.offer(np.arange(len(self.inputs)), self.inputs, as_they_are=True)

    def active(self) -> Places:
        """Places of the samples that still stand, none once the attack must end."""
        if self.asker.watch.reason is not None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(~self.success)

    def margins(self, places: Places, points: Floats) -> tuple[Floats, NDArray[np.float64], NDArray[np.bool_]] | None:
        """Ask about a point of each place: the points really asked, margins (m,), whether the model errs (m,)."""
        asked = self._project(points, places)
        return self._ask(places, asked)

    def offer(self, places: Places, points: Floats, *, as_they_are: bool = False) -> NDArray[np.bool_] | None:
        """Ask about a point of each place and keep those of a lower margin; which were kept, None when stopped."""
        answer = self._ask(places, points) if as_they_are else self.margins(places, points)
        if answer is None:
            return None
        asked, margin, wrong = answer
        kept = (margin < self.margin[places]) | wrong
        chosen = places[kept]
        self.points[chosen], self.margin[chosen], self.success[chosen] = asked[kept], margin[kept], wrong[kept]
        return kept

    def result(self) -> Scored:
        """What is known now."""
        return Scored(
            points=self.points,
            success=self.success,
            margin=self.margin,
            spent=self.spent,
            queries=self.asker.rows,
            calls=self.asker.calls,
            complete=self.asker.watch.reason is None,
            reason=self.asker.watch.reason,
        )

    def _ask(self, places: Places, points: Floats) -> tuple[Floats, NDArray[np.float64], NDArray[np.bool_]] | None:
        answer = self.asker.scores(points)
        if answer is None:
            return None
        np.add.at(self.spent, places, 1)
        margin, wrong = margins(answer, self._labels[places])
        return points, margin, wrong


def margins(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score of the true class minus the best other score, and whether the largest score is another class's; (n,) each.

    On a tie the class of the lower number counts as the answer, as `argmax` has it.
    """
    rows = np.arange(len(scores))
    own = scores[rows, labels].astype(np.float64)
    others = scores.copy()
    others[rows, labels] = -np.inf
    best: NDArray[np.float64] = others.max(axis=1).astype(np.float64)
    return own - best, scores.argmax(axis=1) != labels
