"""What an attack that only asks found, and how it asks: counted, checked, in few large calls, within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import Contained, ShapeMismatch, SubjectFailed

if TYPE_CHECKING:
    from redan.kernels.attacks.watch import Watch


Predict: TypeAlias = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Maps inputs (m, ...) to labels (m,) or to scores (m, k)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision-based attack found; n samples."""

    adversarial: NDArray[np.float32]
    """Nearest point met to which the model gave a wrong label, else the input; shape (n, ...)."""
    distance: NDArray[np.float64]
    """Its distance, (n,): 0 for samples misclassified without attack, infinity where none was met."""
    queries: int
    """Rows the model answered."""
    calls: int
    """Calls they took: the round trips to a remote endpoint."""
    complete: bool
    """Whether the attack ran to its end."""
    reason: str | None
    """Why it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a score-based attack found; n samples."""

    points: NDArray[np.float32]
    """Point of the lowest margin met for each sample, the input itself where nothing was lower; shape (n, ...)."""
    success: NDArray[np.bool_]
    """Whether the model errs on that point, (n,); also true where it errs on the input."""
    margin: NDArray[np.float64]
    """Score of the true class minus the best other score there, (n,)."""
    spent: NDArray[np.int64]
    """Rows asked for each sample, (n,)."""
    queries: int
    """Rows the model answered."""
    calls: int
    """Calls they took: the round trips to a remote endpoint."""
    complete: bool
    """Whether the attack ran to its end."""
    reason: str | None
    """Why it did not."""


class Asker:
    """Asks a model in calls of at most `batch_size` rows.

    Args:
        predict: maps inputs (m, ...) to labels (m,) or scores (m, k).
        batch_size: most rows in one call.
        max_queries: most rows in all; None: no limit.
        watch: asked before every call whether to end; told when a service answers no more.
    """

    def __init__(self, predict: Predict, *, batch_size: int, max_queries: int | None, watch: Watch) -> None:
        self._predict = predict
        self._max_queries = max_queries
        self.batch_size = batch_size
        self.watch = watch
        self.rows = 0
        self.calls = 0

    def labels(self, points: NDArray[np.float32]) -> NDArray[np.integer] | None:
        """Labels of all points, or None when something ends the attack before all are known.

        Raises:
            ShapeMismatch: the answer is not one integer label a row.
        """
        return self._all(points, _labels, np.zeros(0, dtype=np.int64))

    def scores(self, points: NDArray[np.float32]) -> NDArray[np.floating] | None:
        """Scores (m, k) of all points, or None when something ends the attack before all are known.

        Raises:
            ShapeMismatch: the answer is not one row of at least two numbers a row.
            SubjectFailed: the answer holds NaN.
        """
        return self._all(points, _scores, np.zeros((0, 2)))

    def _all(
        self, points: NDArray[np.float32], read: Callable[[Any, int], NDArray[Any]], none: NDArray[Any]
    ) -> NDArray[Any] | None:
        answers = []
        for first in range(0, len(points), self.batch_size):
            part = points[first : first + self.batch_size]
            if self._max_queries is not None and self.rows + len(part) > self._max_queries:
                self.watch.end(f"the query budget of {self._max_queries} does not allow {len(part)} more")
            if self.watch.stopped():
                return None
            self.rows += len(part)
            self.calls += 1
            try:
                answers.append(read(self._predict(part), len(part)))
            except Contained as err:
                self.watch.end(err.message)
                return None
        return np.concatenate(answers) if answers else none


def _labels(answer: Any, n: int) -> NDArray[np.integer]:
    labels = np.asarray(answer)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        msg = f"expected {n} integer labels, got shape {labels.shape} of type {labels.dtype}"
        raise ShapeMismatch(msg)
    return labels


def _scores(answer: Any, n: int) -> NDArray[np.floating]:
    scores = np.asarray(answer)
    if scores.ndim != 2 or scores.shape[0] != n or scores.shape[1] < 2 or not np.issubdtype(scores.dtype, np.floating):
        msg = f"expected scores of shape ({n}, classes), got shape {scores.shape} of type {scores.dtype}"
        raise ShapeMismatch(msg)
    if bool(np.isnan(scores).any()):
        msg = "the model answered NaN, so no verdict on its robustness is possible"
        raise SubjectFailed(msg, hint="check the input bounds and the preprocessing the model expects")
    return scores
