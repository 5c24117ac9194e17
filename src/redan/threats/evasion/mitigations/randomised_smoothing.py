"""Randomised smoothing: the answer becomes the majority over noisy copies of the input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.core.subject import Component, SubjectRef
from redan.kernels.certify.smoothing import votes_of
from redan.kernels.draws import sample_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Capability, Labels, Scores, Subject, Trainable

    class Labelled(Subject, Labels):
        """A subject with labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomisedSmoothingParams(core_params.Params):
    """Parameters of randomised smoothing.

    Attributes:
        sigma: standard deviation of the noise on the inputs' own scale.
        copies: noisy copies of each input.
    """

    sigma: float = 0.25
    copies: int = 32


@mitigation(
    Spec(
        id="RDN-EVA-120",
        name="randomised-smoothing",
        threat="evasion",
        title="Randomised smoothing: majority over noisy copies",
        source="Cohen, Rosenfeld & Kolter 2019, ICML, section 3.2.1",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1902.02918", "atlas:AML.M0003"),
    )
)
class RandomisedSmoothing:
    """Wraps the model so that it answers what most noisy copies of an input are given.

    What it does:
        Each input is copied, Gaussian noise is added to the copies, and the answers are put together: the mean of the
        probabilities where the network is at hand, which stays differentiable so that attacks with gradients meet the
        smoothed model itself, else the share of votes for each class. The noise is drawn once from the seed and is the
        same for every input, so that the same input always gets the same answer.

    Why it helps:
        A boundary near an input seldom surrounds it; noise averages such pockets away. With many copies the probe
        smoothing certifies a Euclidean radius for it.

    Shapes:
        Inputs (n, …) on one scale, floating point.

    Units:
        σ on the inputs' own scale.

    Cost:
        Nothing to make it; each answer costs ``copies`` answers of the model.

    Sources:
        Cohen, Rosenfeld & Kolter 2019, "Certified adversarial robustness via randomized smoothing".

    Limits:
        Clean accuracy falls unless the model was trained with such noise. A few copies give a noisy majority, and fixed
        noise carries no certificate: for that the probe draws fresh noise and counts votes.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RandomisedSmoothingParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: RandomisedSmoothingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the smoothed subject; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: sigma or copies mean nothing.
        """
        if not params.sigma > 0 or params.copies < 1:
            raise UsageError(f"sigma is {params.sigma:g} and copies {params.copies}; expected both above zero")
        if reason := budget.stop():
            raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
        own = derive(seed, self.spec.id, "noise")
        if "trainable" in subject.capabilities:
            from redan.kernels.certify.smoothed import SmoothedNetwork

            teachable = cast("Trainable", subject)
            net = SmoothedNetwork(teachable.module, sigma=params.sigma, copies=params.copies, seed=own)
            note = f"randomised smoothing, sigma {params.sigma:g}, {params.copies} copies, seed {seed}"
            return teachable.rebuilt(net, note=note)
        return SmoothedSubject(subject, sigma=params.sigma, copies=params.copies, seed=own)


class SmoothedSubject:
    """Any classifier with labels, asked about noisy copies.

    Args:
        inner: the classifier.
        sigma: standard deviation of the noise.
        copies: noisy copies of each input.
        seed: of the noise.
    """

    score_kind: ClassVar[str] = "probabilities"
    """Shares of votes."""

    def __init__(self, inner: Labelled, *, sigma: float, copies: int, seed: int) -> None:
        self._inner, self._sigma, self._copies, self._seed = inner, sigma, copies, seed
        text = f"randomised smoothing sigma={sigma!r} copies={copies} seed={seed}"
        digest = sha256(text.encode()).hexdigest()
        part = Component(role="preprocessing", uri=text, sha256=digest, size_bytes=len(text))
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
        """Bounds of the classifier's inputs; the noisy copies leave them."""
        return self._inner.bounds

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict the class that most noisy copies get, (n,) int64; the lower one wins a tie."""
        return np.array([int(np.bincount(row).argmax()) for row in self._votes(x)], np.int64)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict the share of votes for each class, (n, classes)."""
        width = len(self.classes) or cast("Scores", self._inner).scores(np.asarray(x)[:1]).shape[1]
        votes = self._votes(x)
        return (
            np.stack([np.bincount(row, minlength=width) for row in votes]) / self._copies
            if len(votes)
            else (np.zeros((0, width)))
        )

    def _votes(self, x: NDArray[Any]) -> NDArray[np.int64]:
        x = np.asarray(x, np.float32)
        keys = np.repeat(sample_keys(self._seed, "smoothing", [0]), len(x))
        predict: Callable[[NDArray[np.float32]], NDArray[np.integer]] = self._inner.labels
        return votes_of(predict, x, sigma=self._sigma, copies=self._copies, keys=keys)
