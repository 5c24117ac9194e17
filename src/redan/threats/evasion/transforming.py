"""A transformation of inputs in front of any classifier: inside a network, around everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from redan.core.errors import BudgetSpent, MissingDependency, ShapeMismatch, UsageError
from redan.core.inputs import Dataset
from redan.core.subject import Component, SubjectRef

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.subject import Capability, Labels, Scores, Subject, Trainable
    from redan.kernels.input_transforms.network import Answer

    class Labelled(Subject, Labels):
        """A subject with labels."""


def behind(
    subject: Labelled,
    views: Sequence[nn.Module],
    *,
    note: str,
    budget: Budget,
    answer: Answer = "mean",
    seed: int = 0,
) -> Subject:
    """Put transformations in front of a subject; the one given stays as it was.

    Args:
        subject: any classifier. Of a torch network the transformations become a part, so that attacks with gradients
            meet them; of everything else inputs are transformed before it is asked.
        views: one transformation, or several that answer together.
        note: what was done.
        budget: asked once.
        answer: how several views answer.
        seed: of the draws, where one of several views answers.

    Raises:
        BudgetSpent: there is nothing to spend.
    """
    if reason := budget.stop():
        raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
    if "trainable" in subject.capabilities:
        from redan.kernels.input_transforms.network import TransformedNetwork

        teachable = cast("Trainable", subject)
        return teachable.rebuilt(TransformedNetwork(teachable.module, views, answer=answer, seed=seed), note=note)
    return TransformedSubject(subject, views, note=note, answer=answer, seed=seed)


def box_of(subject: Subject, inputs: Inputs) -> tuple[float, float]:
    """Return the lowest and the highest legal value: the subject's, else those of the data.

    Raises:
        UsageError: neither is known.
    """
    known = subject.bounds or next((data.bounds for data in _given(inputs) if data.bounds is not None), None)
    if known is None:
        raise UsageError(f"the bounds of the inputs of {subject.ref.name!r} are not known", hint="give --bounds 0 1")
    return float(known[0]), float(known[1])


def check_images(inputs: Inputs, what: str) -> None:
    """Refuse data that are no images; where there are none to look at, the first answer tells.

    Raises:
        ShapeMismatch: inputs are not (n, channels, height, width).
    """
    for data in _given(inputs):
        if data.x.ndim != 4:
            raise ShapeMismatch(
                f"{what} needs images (n, channels, height, width); inputs of {data.name!r} are {data.x.shape}",
                hint="reshape the data, and let the model flatten them",
            )


def window(size: int) -> int:
    """Return the side of a window.

    Raises:
        UsageError: it is even, or not above one.
    """
    if size < 3 or size % 2 == 0:
        raise UsageError(f"size is {size}; expected an odd number from 3, the side of the window")
    return size


def depth(bits: int) -> int:
    """Return a number of bits.

    Raises:
        UsageError: fewer than one, or more than a float holds exactly.
    """
    if not 1 <= bits <= 16:
        raise UsageError(f"bits is {bits}; expected 1 to 16")
    return bits


def need_torch(what: str) -> None:
    """Make sure that torch is there, in which the transformations are written.

    Raises:
        MissingDependency: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingDependency.of("torch", "torch", what)


def _given(inputs: Inputs) -> list[Dataset]:
    return [data for data in (inputs.test, inputs.train) if isinstance(data, Dataset)]


class TransformedSubject:
    """Any classifier with labels, asked about transformed inputs.

    Args:
        inner: the classifier.
        views: one transformation, or several whose answers are counted as votes.
        note: what they are; part of the digest.
        answer: whether all views vote, or one that is drawn at each call answers.
        seed: of the draws.
    """

    def __init__(self, inner: Labelled, views: Sequence[nn.Module], *, note: str, answer: Answer, seed: int) -> None:
        self._inner, self._views, self._answer = inner, tuple(views), answer
        self._stream = np.random.default_rng(seed)
        part = Component(role="preprocessing", uri=note, sha256=sha256(note.encode()).hexdigest(), size_bytes=len(note))
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
        """Labels; scores where the classifier has them."""
        return self._inner.capabilities & {"labels", "scores"}

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the classifier."""
        return self._inner.classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of the classifier's inputs."""
        return self._inner.bounds

    @property
    def score_kind(self) -> str:
        """What the scores are: the classifier's, or shares of votes."""
        return "probabilities" if self._voting else str(cast("Any", self._inner).score_kind)

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64; of several views the one with most votes, the lower first."""
        if not self._voting:
            return self._inner.labels(self._seen(x))
        return np.array([int(np.bincount(row).argmax()) for row in self._votes(x)], np.int64)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores (n, classes): the classifier's own, of several views the share of votes for each class."""
        inner = cast("Scores", self._inner)
        if not self._voting:
            return inner.scores(self._seen(x))
        width = len(self.classes) or inner.scores(np.asarray(x)[:1]).shape[1]
        votes = self._votes(x)
        return np.stack([(votes == one).mean(axis=1) for one in range(width)], axis=1)

    @property
    def _voting(self) -> bool:
        return len(self._views) > 1 and self._answer == "mean"

    def _votes(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.stack([self._inner.labels(self._through(view, x)) for view in self._views], axis=1)

    def _seen(self, x: NDArray[Any]) -> NDArray[np.float32]:
        return self._through(self._views[int(self._stream.integers(len(self._views)))], x)

    def _through(self, view: nn.Module, x: NDArray[Any]) -> NDArray[np.float32]:
        import torch

        with torch.no_grad():
            seen: NDArray[np.float32] = view(torch.from_numpy(np.array(x, np.float32))).numpy()
        return seen
