"""Asking a model for labels: counted, checked, in few large calls, within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from redan.kernels.attacks.watch import Watch


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


class Asker:
    """Asks for labels in calls of at most `batch_size` rows.

    Args:
        predict: maps inputs (m, ...) to labels (m,).
        batch_size: most rows in one call.
        max_queries: most rows in all; None: no limit.
        watch: asked before every call whether to end.
    """

    def __init__(
        self,
        predict: Callable[[NDArray[np.float32]], NDArray[np.integer]],
        *,
        batch_size: int,
        max_queries: int | None,
        watch: Watch,
    ) -> None:
        self._predict = predict
        self._max_queries = max_queries
        self.batch_size = batch_size
        self.watch = watch
        self.rows = 0
        self.calls = 0

    def labels(self, points: NDArray[np.float32]) -> NDArray[np.integer] | None:
        """Labels of all points, or None when the budget or the watch ends the attack before all are known.

        Raises:
            ShapeMismatch: the answer is not one integer label a row.
        """
        answers = []
        for first in range(0, len(points), self.batch_size):
            part = points[first : first + self.batch_size]
            if self._max_queries is not None and self.rows + len(part) > self._max_queries:
                self.watch.end(f"the query budget of {self._max_queries} does not allow {len(part)} more")
            if self.watch.stopped():
                return None
            answers.append(self._ask(part))
        return np.concatenate(answers) if answers else np.zeros(0, dtype=np.int64)

    def _ask(self, part: NDArray[np.float32]) -> NDArray[np.integer]:
        self.rows += len(part)
        self.calls += 1
        answer = np.asarray(self._predict(part))
        if answer.shape != (len(part),) or not np.issubdtype(answer.dtype, np.integer):
            msg = f"expected {len(part)} integer labels, got shape {answer.shape} of type {answer.dtype}"
            raise ShapeMismatch(msg)
        return answer
