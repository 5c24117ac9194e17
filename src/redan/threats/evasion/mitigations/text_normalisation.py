"""Text normalisation: texts are brought back to plain letters and known words before the model sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent
from redan.core.probe import Spec
from redan.core.subject import Component, SubjectRef
from redan.kernels.text_attacks.asking import as_texts
from redan.kernels.text_attacks.lookalikes import plain
from redan.kernels.text_attacks.mending import mender
from redan.threats.evasion.texts import checked, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Capability, Subject

    Mend = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNormalisationParams(core_params.Params):
    """Parameters of the normalisation.

    Attributes:
        spelling: correct words that are one slip away from a word of the training texts.
    """

    spelling: bool = True


@mitigation(
    Spec(
        id="RDN-EVA-118",
        name="text-normalisation",
        threat="evasion",
        title="Plain letters, no hidden signs, simple slips corrected before the model sees a text",
        source="Unicode Standard Annex 15; UTS 39, section 4; Pruthi, Dhingra & Lipton 2019, section 4",
        needs=("labels", "text"),
        data=("train",),
        cost="instant",
        references=("arxiv:1905.11268", "atlas:AML.M0010"),
    )
)
class TextNormalisation:
    """Wraps the model so that it is asked about normalised texts.

    What it does:
        Compatibility forms become plain ones (NFKC), look-alike letters Latin ones, signs without width go, and a word
        that is unknown to the training texts becomes the commonest known word that is one slip away.

    Why it helps:
        Most edits of characters work because an unknown word says nothing to the model; brought back it says what it
        said before. The attack that measures it goes through the wrapper, so it looks for edits that survive.

    Shapes:
        train: (n,) texts; the classes are not used.

    Units:
        None.

    Cost:
        A pass over the training texts; for each text asked about some microseconds a word.

    Sources:
        Pruthi, Dhingra & Lipton 2019, "Combating adversarial misspellings with robust word recognition".

    Limits:
        Two slips in a word, or a slip that makes another known word, stay. Rare names may be taken for common words.
        Substituted words are no slips and stay.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextNormalisationParams

    def apply(
        self,
        subject: Any,
        inputs: Inputs,
        params: TextNormalisationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the wrapped subject; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
        """
        del seed, observe
        data = checked(subject, inputs, "train", len(inputs.role("train")))
        if reason := budget.stop():
            raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
        if not params.spelling:
            return NormalisedText(subject, plain, "text normalisation, letters alone")
        found = mender(texts_of(data))
        known = sha256("\n".join(f"{word} {n}" for word, n in found.known.items()).encode()).hexdigest()
        return NormalisedText(subject, found.mended, f"text normalisation, {len(found.known)} words {known}")


class NormalisedText:
    """A classifier of texts that is asked about normalised ones.

    Args:
        inner: the classifier.
        mend: text → normalised text.
        told: what is done, for the digest.
    """

    def __init__(self, inner: Any, mend: Mend, told: str) -> None:
        self._inner, self._mend, self._told = inner, mend, told
        digest = sha256(told.encode()).hexdigest()
        part = Component(role="preprocessing", uri=told, sha256=digest, size_bytes=len(told))
        given: SubjectRef = inner.ref
        self._ref = replace(given, components=(*given.components, part), lineage=(*given.lineage, given.digest))

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Those of the classifier."""
        offers: frozenset[Capability] = self._inner.capabilities
        return offers

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the classifier."""
        names: tuple[str, ...] = self._inner.classes
        return names

    @property
    def bounds(self) -> None:
        """Texts have none."""

    @property
    def score_kind(self) -> Any:
        """What the scores are."""
        return self._inner.score_kind

    @property
    def estimator(self) -> Any:
        """The fitted estimator inside; not to be changed."""
        return self._inner.estimator

    def refitted(self, estimator: Any, x: NDArray[Any], y: NDArray[Any], *, note: str) -> NormalisedText:
        """Fit another estimator on normalised texts, and ask it about normalised texts."""
        made = NormalisedText(self._inner.refitted(estimator, self._mended(x), y, note=note), self._mend, self._told)
        made._ref = replace(made.ref, lineage=(*self.ref.lineage, self.ref.digest))
        return made

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n,) texts as (n,) int64."""
        found: NDArray[Any] = self._inner.labels(self._mended(x))
        return found

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n,) texts as (n, classes)."""
        found: NDArray[Any] = self._inner.scores(self._mended(x))
        return found

    def close(self) -> None:
        """Give back what the classifier holds open."""
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()

    def _mended(self, x: NDArray[Any]) -> NDArray[Any]:
        return as_texts([self._mend(str(text)) for text in np.asarray(x).tolist()])
