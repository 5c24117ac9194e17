"""What models answer, brought into one form: (n, classes) scores, (n,) class indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, SubjectFailed, UsageError

if TYPE_CHECKING:
    from redan.subjects.options import Kind, Options


class AnswerForm:
    """Reads the answers of one model; what its scores are is told by the owner or learned from the first answer.

    Args:
        name: of the model, for messages.
        options: ``answers``, ``score_kind`` and ``classes`` matter here.
    """

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._answers = options.answers
        self._kind: Kind | None = None if options.score_kind == "auto" else options.score_kind
        self._guessed = options.score_kind == "auto"
        self.classes = options.classes

    @property
    def kind(self) -> Kind:
        """What the scores are.

        Raises:
            UsageError: nothing was answered yet.
        """
        if self._kind is None:
            raise UsageError(
                f"what the outputs of {self._name!r} are is known only after it was asked once",
                hint="give score_kind= or a sample of the data",
            )
        return self._kind

    def holds_labels(self, answer: NDArray[Any]) -> bool:
        """Whether an answer holds classes rather than scores: one whole number or text for each input."""
        if self._answers != "auto":
            return self._answers == "labels"
        flat = answer.ndim == 1 or (answer.ndim == 2 and answer.shape[1] == 1)
        return flat and answer.dtype.kind in "iubUSO"

    def labels(self, answer: NDArray[Any], n: int) -> NDArray[Any]:
        """Bring an answer to n inputs into (n,) int64 class indices; of scores the highest column.

        Raises:
            SubjectFailed: not one prediction for each input.
        """
        if not self.holds_labels(answer):
            highest: NDArray[Any] = self.scores(answer, n).argmax(axis=1)
            return highest
        if answer.shape not in ((n,), (n, 1)):
            raise self._wrong(answer, n)
        flat = _whole(answer.reshape(n))
        if flat.dtype.kind in "iub" and not _outside(flat, len(self.classes)):
            return flat.astype(np.int64)
        index = {text: position for position, text in enumerate(self.classes)}
        found = [index.get(str(value), -1) for value in flat.tolist()]
        if -1 in found:
            strange = flat.tolist()[found.index(-1)]
            raise SubjectFailed(
                f"{self._name!r} answered the label {strange!r}, which is neither a class index nor a class name",
                hint="give classes= with the model's labels in order",
            )
        return np.array(found, dtype=np.int64)

    def scores(self, answer: NDArray[Any], n: int) -> NDArray[Any]:
        """Bring an answer to n inputs into (n, classes).

        A single logit s is the log-odds of class 1 and becomes (−s/2, s/2); a single probability p becomes (1−p, p).

        Raises:
            SubjectFailed: not one row of numbers for each input, or labels.
        """
        numbers = answer.dtype.kind in "fiub" and answer.ndim in (1, 2) and len(answer) == n and answer.size >= n
        if not numbers or self.holds_labels(answer):
            raise self._wrong(answer, n)
        if self._kind is None:
            self._kind = kind_of_scores(answer)
        values = refuse_broken(answer if answer.dtype.kind == "f" else answer.astype(np.float64), self._name)
        if values.ndim == 2 and values.shape[1] > 1:
            return values
        single = values.reshape(n)
        if self._guessed and self._kind == "probabilities" and ((single < 0) | (single > 1)).any():
            raise SubjectFailed(
                f"the first answers of {self._name!r} looked like probabilities, and now one lies outside of [0, 1]",
                hint="its single output is a logit: give score_kind='logits'",
            )
        both = (1 - single, single) if self._kind == "probabilities" else (-single / 2, single / 2)
        return np.stack(both, axis=1)

    def _wrong(self, answer: NDArray[Any], n: int) -> SubjectFailed:
        return SubjectFailed(
            f"{self._name!r} answered {n} inputs with shape {answer.shape} of type {answer.dtype}; "
            f"expected {n} labels or ({n}, classes) scores"
        )


def agreed_classes(told: tuple[str, ...], own: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the class names that were told, else the model's own.

    Raises:
        ShapeMismatch: both name the same classes in another order, so every label would be taken for another class.
    """
    if told and own and told != own and set(told) == set(own):
        raise ShapeMismatch(
            f"{name!r} has the classes {', '.join(own[:8])} in this order, and was told {', '.join(told[:8])}",
            hint="give the model's own order to the data: classes= when it is loaded",
        )
    return told or own


def refuse_broken(scores: NDArray[Any], name: str) -> NDArray[Any]:
    """Return scores that are all finite; a NaN would otherwise count as some class, or as a failed attack.

    Raises:
        SubjectFailed: NaN or infinity, with their count and first position.
    """
    if np.isfinite(scores).all():
        return scores
    bad = ~np.isfinite(scores).reshape(len(scores), -1)
    row, column = np.argwhere(bad)[0]
    raise SubjectFailed(
        f"{name!r} answered NaN or infinity for {int(bad.any(axis=1).sum())} of {len(scores)} inputs, "
        f"first for input {row}, class {column}",
        hint="check the normalisation (mean=, std=), the bounds and that the weights were loaded",
    )


def kind_of_scores(scores: NDArray[Any]) -> Kind:
    """Say what scores are: probabilities when all lie in [0, 1] and the rows of several columns sum to 1.

    For a single column this is a guess: logits of one batch may all lie in [0, 1] too. The owner's word is better.
    """
    if scores.size == 0 or (scores < 0).any() or (scores > 1).any():
        return "logits"
    several = scores.ndim == 2 and scores.shape[1] > 1
    return "probabilities" if not several or np.allclose(scores.sum(axis=1), 1, atol=1e-3) else "logits"


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.floor(values)).all():
        return values.astype(np.int64)
    return values


def _outside(values: NDArray[Any], n_classes: int) -> bool:
    return len(values) > 0 and bool(values.min() < 0 or (n_classes and values.max() >= n_classes))
