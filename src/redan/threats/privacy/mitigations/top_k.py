"""Top-k: only the highest probabilities are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.answers import shortened
from redan.threats.privacy.perturbing import perturbed

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class TopKParams(core_params.Params):
    """Parameters of top-k.

    Attributes:
        k: classes whose probability is told.
    """

    k: int = 1


@mitigation(
    Spec(
        id="RDN-PRI-104",
        name="top-k",
        threat="privacy",
        title="Only the k highest probabilities are told",
        source="Shokri et al. 2017, IEEE S&P, section VIII",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1610.05820", "arxiv:2007.14321", "atlas:AML.M0002"),
        default=False,
    )
)
class TopK:
    """Tells the k highest probabilities and spreads the rest evenly.

    What it does:
        The other classes share what is left evenly, which says nothing beyond the k that are told. The model behind it
        is not touched.

    Why it helps:
        A wrong answer no longer says how probable the true class was, which is what membership attacks read of hard
        records.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        Classes.

    Cost:
        One sort a row; no accuracy.

    Sources:
        Shokri, Stronati, Song & Shmatikov 2017, "Membership inference attacks against machine learning models", section
        VIII (restriction to the top k classes).

    Limits:
        The highest probability itself still tells members from others. Labels stay what they were, so that attacks that
        read labels only (label-only) are untouched.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TopKParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: TopKParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the change; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: k means nothing.
        """
        if params.k < 1:
            raise UsageError(f"k is {params.k}; expected at least 1")
        note = f"the {params.k} highest probabilities"
        return perturbed(subject, lambda p, _: shortened(p, params.k), note=note, budget=budget)
