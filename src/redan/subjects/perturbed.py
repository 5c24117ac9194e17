"""A classifier whose scores are told less exactly; its labels stay what they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from redan.core.subject import Component, SubjectRef, require
from redan.kernels.answers import probabilities, topped
from redan.kernels.draws import content

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset
    from redan.core.progress import Observer
    from redan.core.recipe import Recipe
    from redan.core.subject import Capability, Labels, Scores, Subject

    class Scored(Subject, Labels, Scores):
        """A subject with labels and scores."""


Change: TypeAlias = "Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]"
"""From probabilities (n, classes) and a number for each input that depends on its values alone, to what is told."""


class PerturbedSubject:
    """Any classifier with scores, whose probabilities pass through a change before they are told.

    Args:
        inner: the classifier.
        change: what happens to the probabilities.
        note: what it is; part of the digest.
    """

    def __init__(self, inner: Scored, change: Change, *, note: str) -> None:
        require(inner, "scores")
        self._inner, self._change, self._note = inner, change, note
        part = Component(
            role="postprocessing", uri=note, sha256=sha256(note.encode()).hexdigest(), size_bytes=len(note)
        )
        given = inner.ref
        self._ref: SubjectRef = replace(
            given, components=(*given.components, part), lineage=(*given.lineage, given.digest)
        )

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels and scores, whatever the classifier offers: who asks sees no more."""
        return frozenset({"labels", "scores"})

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the classifier."""
        return self._inner.classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of the classifier's inputs."""
        return self._inner.bounds

    @property
    def score_kind(self) -> Literal["logits", "probabilities"]:
        """Probabilities, whatever the classifier tells."""
        return "probabilities"

    @property
    def behind(self) -> Scored:
        """The classifier itself."""
        return self._inner

    def around(self, inner: Scored) -> PerturbedSubject:
        """Return another classifier whose scores pass through the same change."""
        return PerturbedSubject(inner, self._change, note=self._note)

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64: the classifier's own."""
        return self._inner.labels(x)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict changed probabilities (n, classes); the classifier's class stays the highest, or ties for it."""
        plain = self._inner.scores(x)
        p = probabilities(plain, kind=self._inner.score_kind)
        if not len(p):
            return p
        return topped(self._change(p, content(np.asarray(x))), np.asarray(p.argmax(axis=1), np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbedRecipe:
    """How models like a perturbed one are trained: as what is behind it, then changed in the same way."""

    recipe: Recipe
    subject: PerturbedSubject

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe behind it and of the change."""
        return sha256(f"{self.recipe.digest}\n{self.subject.ref.components[-1].sha256}".encode()).hexdigest()

    def fit(self, data: Dataset, *, budget: Budget, seed: int, observe: Observer) -> Subject:
        """Train, and put the change in front of what comes out.

        Raises:
            BudgetSpent: before a usable subject existed.
        """
        made: Any = self.recipe.fit(data, budget=budget, seed=seed, observe=observe)
        return self.subject.around(made)
