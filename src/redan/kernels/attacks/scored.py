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
    from redan.kernels.attacks.reach import Asked
    from redan.kernels.draws import Keys

Floats: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.int64]


class Standing:
    """Best point, margin and cost of each sample; n samples.

    Args:
        scores: maps inputs (m, ...) to scores (m, k), higher is more likely.
        inputs: shape (n, ...).
        labels: true classes, shape (n,).
        keys: one key a sample, shape (n,).
        reach: what is asked in place of a point; the point itself when None.
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
        reach: Asked | None = None,
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
        self._reach = reach

    def start(self) -> None:
        """Ask about the inputs themselves."""
        if len(self.inputs):
            self.offer(np.arange(len(self.inputs)), self.inputs)

    def active(self) -> Places:
        """Places of the samples that still stand, none once the attack must end."""
        if self.asker.watch.reason is not None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(~self.success)

    def ask(self, places: Places, points: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
        """Margin at a point of each place and whether the model errs there, (m,) each; None when stopped."""
        answer = self.asker.scores(points if self._reach is None else self._reach.rows(points, places))
        if answer is None:
            return None
        np.add.at(self.spent, places, 1)
        return margins(answer, self._labels[places])

    def offer(self, places: Places, points: Floats) -> NDArray[np.bool_] | None:
        """Ask about a point of each place and keep those of a lower margin; which were kept, None when stopped."""
        answer = self.ask(places, points)
        if answer is None:
            return None
        margin, wrong = answer
        kept = (margin < self.margin[places]) | wrong
        chosen = places[kept]
        self.points[chosen], self.margin[chosen], self.success[chosen] = points[kept], margin[kept], wrong[kept]
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


def margins(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score of the true class minus the best other score, and whether the largest score is another class's; (n,) each.

    On a tie the class of the lower number counts as the answer, as `argmax` has it.

    Raises:
        ShapeMismatch: a label is no class of the scores.
    """
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[1]:
        msg = f"labels run from {labels.min()} to {labels.max()}, and the model scores {scores.shape[1]} classes"
        raise ShapeMismatch(msg, hint="labels are class indices from 0 on, in the order of the model's outputs")
    rows = np.arange(len(scores))
    own = scores[rows, labels].astype(np.float64)
    others = scores.copy()
    others[rows, labels] = -np.inf
    best: NDArray[np.float64] = others.max(axis=1).astype(np.float64)
    return own - best, scores.argmax(axis=1) != labels
