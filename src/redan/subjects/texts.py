"""Models whose inputs are texts: told apart from those of numbers, so that each meets its own attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.subject import Capability, Labels, Refittable, Scores, Subject, SubjectRef
    from redan.subjects.options import Kind

    class Asked(Subject, Labels, Scores, Refittable, Protocol):
        """A subject that answers."""


class TextSubject:
    """A classifier of texts around a subject that answers them.

    Args:
        inner: the subject; offers labels and perhaps scores.
        encode: texts to what the subject takes; None where it takes texts.
        ref: what exactly it is, where that is more than the subject inside.
    """

    def __init__(
        self,
        inner: Asked,
        *,
        encode: Callable[[list[str]], NDArray[Any]] | None = None,
        ref: SubjectRef | None = None,
    ) -> None:
        self.inner = inner
        self._encode = encode
        self._ref = ref or inner.ref

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Text; labels and scores where the subject inside has them. Nothing differentiates through letters."""
        return (self.inner.capabilities & {"labels", "scores", "refittable"}) | {"text"}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the subject inside."""
        return self.inner.classes

    @property
    def bounds(self) -> None:
        """Texts have none."""

    @property
    def score_kind(self) -> Kind:
        """What the scores are."""
        return self.inner.score_kind

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n,) texts as (n,) int64."""
        return self.inner.labels(self._taken(x))

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n,) texts as (n, classes)."""
        return self.inner.scores(self._taken(x))

    @property
    def estimator(self) -> Any:
        """The fitted estimator inside; not to be changed."""
        return self.inner.estimator

    def refitted(self, estimator: Any, x: NDArray[Any], y: NDArray[Any], *, note: str) -> TextSubject:
        """Fit another estimator on (n,) texts with class indices (n,), this subject in the lineage of the result.

        Raises:
            SubjectFailed: it cannot be fitted on them.
        """
        made = self.inner.refitted(estimator, self._taken(x), y, note=note)
        return TextSubject(cast("Asked", made), encode=self._encode)

    def close(self) -> None:
        """Give back what the subject inside holds open."""
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()

    def _taken(self, x: NDArray[Any]) -> NDArray[Any]:
        texts = np.asarray(x)
        return texts if self._encode is None else self._encode(texts.tolist())


def for_texts(subject: Subject, sample: NDArray[Any] | None) -> Subject:
    """Return the subject as one of texts where its data are texts, else as it was."""
    if sample is None or not is_text(np.asarray(sample)) or "text" in subject.capabilities:
        return subject
    return TextSubject(cast("Asked", subject))


def is_text(x: NDArray[Any]) -> bool:
    """Whether inputs are one text each."""
    if x.ndim != 1:
        return False
    return x.dtype.kind == "U" or (x.dtype == object and all(isinstance(text, str) for text in x.tolist()))
