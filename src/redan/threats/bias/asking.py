"""What the model answers to rows of people, within a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.kernels.probabilities import probabilities_of
from redan.subjects.fit import check_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Scores, Subject

    class Labelled(Subject, Labels):
        """A subject with labels."""

    class Scored(Labelled, Scores):
        """A subject with scores and labels."""


BATCH = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The rows that the budget allowed.

    Attributes:
        data: these rows.
        answers: (n,) classes, or (n, k) probabilities.
        n_classes: of the model.
        partial: a budget left rows out.
    """

    data: Dataset
    answers: NDArray[Any]
    n_classes: int
    partial: bool


def labelled(subject: Labelled, data: Dataset, budget: Budget, observe: Observer, name: str) -> Answered:
    """Ask for the class of each row.

    Raises:
        ShapeMismatch: model and data do not fit together.
    """
    return _asked(subject, subject.labels, data, budget, observe, name)


def scored(subject: Scored, data: Dataset, budget: Budget, observe: Observer, name: str) -> Answered:
    """Ask for the probability of each class; of logits their softmax.

    Raises:
        ShapeMismatch: model and data do not fit together.
    """

    def ask(x: NDArray[Any]) -> NDArray[Any]:
        return probabilities(subject, x)

    return _asked(subject, ask, data, budget, observe, name)


def probabilities(subject: Scored, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of each class (n, k); of logits their softmax."""
    return probabilities_of(subject.scores(x), subject.score_kind)


def favourable_class(asked: int, n_classes: int) -> int:
    """Return the class that is judged: the one asked for, else the second of two, else the last.

    Raises:
        ShapeMismatch: the model has no such class.
    """
    if not -1 <= asked < n_classes:
        raise ShapeMismatch(f"favourable is {asked}; the model has classes 0 to {n_classes - 1}")
    return n_classes - 1 if asked == -1 else asked


def _asked(
    subject: Labelled,
    ask: Callable[[NDArray[Any]], NDArray[Any]],
    data: Dataset,
    budget: Budget,
    observe: Observer,
    name: str,
) -> Answered:
    check_fit(subject, data)
    observe.started(name, len(data))
    parts, n = [], 0
    while n < len(data) and not budget.stop():
        x = data.x[n : n + BATCH]
        left = budget.left_queries()
        x = x if left is None else x[:left]
        budget.charge(queries=len(x))
        answer = np.asarray(ask(x))
        if not np.isfinite(answer).all():
            raise SubjectFailed(f"{subject.ref.name!r} answered NaN or infinity")
        parts.append(answer)
        n += len(x)
        observe.advanced(name, n, len(data))
    observe.finished(name)
    answers: NDArray[Any] = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    own = answers.shape[1] if answers.ndim == 2 else int(answers.max(initial=0)) + 1
    highest = max(own, len(subject.classes), int(data.y.max(initial=0)) + 1, 2)
    return Answered(data=data.rows(slice(0, n)), answers=answers, n_classes=highest, partial=n < len(data))
