"""Which rows are explained, how the model is asked about them, and what stands for a value that is not there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped
from redan.kernels.probabilities import probabilities_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Scores, Subject

    class Scored(Subject, Scores):
        """A subject with scores."""


AT_ONCE = 500
BACKGROUND = 50
MOST_VALUES = 4_000_000
"""Most numbers in all explained inputs together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """What is explained.

    Attributes:
        data: the rows.
        x: (n, …) float64 inputs.
        answered: (n,) classes that the model answers, which are explained.
        background: (b, …) other rows that say how values vary.
        baseline: one input, the mean of the background.
        n_classes: classes that the model tells apart.
    """

    data: Dataset
    x: NDArray[np.float64]
    answered: NDArray[np.int64]
    background: NDArray[np.float64]
    baseline: NDArray[np.float64]
    n_classes: int


class Asking:
    """The model as a function to probabilities, charged to the budget."""

    def __init__(self, subject: Scored, budget: Budget, dtype: Any) -> None:
        self._subject, self._budget, self._dtype = subject, budget, dtype

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return (n, k) probabilities of (n, …) inputs.

        Raises:
            BudgetSpent: fewer queries are left.
        """
        left = self._budget.left_queries()
        if left is not None and left < len(x):
            raise BudgetSpent(f"{left} queries are left, and {len(x)} are to be asked", hint="give a larger budget")
        self._budget.charge(queries=len(x))
        wide = x.astype(self._dtype, copy=False)
        parts = [
            probabilities_of(self._subject.scores(wide[i : i + AT_ONCE]), self._subject.score_kind)
            for i in range(0, len(wide), AT_ONCE)
        ]
        return np.concatenate(parts)


def rows_of(asking: Asking, inputs: Inputs, most: int) -> Rows:
    """Take the test rows with the smallest indices, and the rows after them as background.

    Raises:
        ShapeMismatch: too few rows, or values that are no finite numbers.
    """
    data = inputs.role("test")
    values = max(1, math.prod(np.shape(data.x)[1:]))
    order = np.argsort(data.indices, kind="stable")
    n = min(most, MOST_VALUES // values, len(data))
    if n < 2:
        raise Skipped(f"{data.name!r} has {len(data)} rows; an explanation is judged on at least 2")
    x: Any = np.asarray(data.x)
    if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    rest = order[n : n + BACKGROUND] if len(order) >= n + 2 else order[:BACKGROUND]
    if inputs.train is not None and np.shape(inputs.train.x)[1:] == x.shape[1:]:
        background = np.asarray(inputs.train.x)[np.argsort(inputs.train.indices, kind="stable")[:BACKGROUND]]
    else:
        background = x[rest]
    chosen = data.rows(order[:n])
    told = asking(chosen.x)
    return Rows(
        data=chosen,
        x=np.asarray(chosen.x, np.float64),
        answered=told.argmax(axis=1),
        background=np.asarray(background, np.float64),
        baseline=np.asarray(background, np.float64).mean(axis=0),
        n_classes=told.shape[1],
    )


def names_of(data: Dataset, d: int) -> tuple[str, ...]:
    """Return the names of the columns, or places where there are none."""
    return data.columns if len(data.columns) == d else tuple(f"column{i}" for i in range(d))
