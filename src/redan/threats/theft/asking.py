"""What a thief has and gets: his own inputs, the answers that the model gives him, and rows to judge his copy on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped
from redan.core.seeds import derive
from redan.kernels.probabilities import probabilities_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Labels, Subject

    class Asked(Subject, Labels):
        """A subject with labels, and perhaps scores."""


Answers = Literal["scores", "rounded", "labels"]
AT_ONCE = 500
LEAST = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """Where a theft takes place.

    Attributes:
        pool: inputs that the thief has; their classes are not his.
        judged: rows that his copy is judged on, none of them in the pool.
        truth: (n,) classes that the model answers for those rows.
        classes: classes that the model tells apart.
    """

    pool: Dataset
    judged: Dataset
    truth: NDArray[np.int64]
    classes: int


def field_of(subject: Asked, inputs: Inputs, budget: Budget, seed: int) -> Field:
    """Give the thief the reference data, or where there is none half of the test rows.

    Raises:
        Skipped: too few rows.
        ShapeMismatch: values that are no finite numbers.
        BudgetSpent: there is nothing to spend.
    """
    test = _numbers(inputs.role("test"))
    if inputs.reference is not None:
        pool, judged = _numbers(inputs.reference), test
    else:
        his = np.array([derive(seed, "theft", int(index)) & 1 == 0 for index in test.indices], bool)
        pool, judged = test.rows(his), test.rows(~his)
    if min(len(pool), len(judged)) < LEAST:
        raise Skipped(
            f"{len(pool)} inputs for the thief and {len(judged)} to judge his copy; expected at least {LEAST} of each",
            hint="give more test rows",
        )
    if reason := budget.stop():
        raise BudgetSpent(f"nothing was asked: {reason}", hint="give a larger budget")
    if (left := budget.left_queries()) is not None and left <= len(judged):
        raise BudgetSpent(
            f"{left} queries are left, and {len(judged)} are needed to judge a copy before one is made",
            hint="give a larger budget",
        )
    budget.charge(queries=len(judged))
    truth = _labels(subject, judged.x)
    seen = max(int(truth.max()) + 1, len(subject.classes or test.classes), int(np.max(test.y)) + 1, 2)
    return Field(pool=pool, judged=judged, truth=truth, classes=seen)


class Victim:
    """The model as the thief sees it, each query counted."""

    def __init__(self, subject: Asked, answers: Answers, classes: int, budget: Budget) -> None:
        self._subject, self._answers, self._classes, self._budget = subject, answers, classes, budget

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Return (m, k) answers: probabilities, probabilities to one decimal, or one 1 a row."""
        self._budget.charge(queries=len(x))
        if self._answers == "labels":
            return np.asarray(np.eye(self._classes)[_labels(self._subject, x)])
        subject: Any = self._subject
        parts = [
            probabilities_of(subject.scores(x[i : i + AT_ONCE]), subject.score_kind) for i in range(0, len(x), AT_ONCE)
        ]
        told = np.concatenate(parts)
        if self._answers == "rounded":
            told = told.round(1)
            told /= np.maximum(told.sum(axis=1, keepdims=True), 1e-9)
        return told


def _labels(subject: Any, x: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([np.asarray(subject.labels(x[i : i + AT_ONCE])) for i in range(0, len(x), AT_ONCE)])


def _numbers(data: Dataset) -> Dataset:
    x: Any = np.asarray(data.x)
    if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return data.rows(np.argsort(data.indices, kind="stable"))
