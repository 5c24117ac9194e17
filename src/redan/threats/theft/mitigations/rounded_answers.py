"""Rounded answers: a thief is told probabilities with few digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.kernels.answers import rounded
from redan.subjects.perturbed import PerturbedSubject

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored

MOST_DIGITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedAnswersParams(core_params.Params):
    """Parameters of rounding.

    Attributes:
        digits: digits after the point that are told.
    """

    digits: int = 1


@mitigation(
    Spec(
        id="RDN-THE-101",
        name="rounded-answers",
        threat="theft",
        title="Answers rounded to few digits",
        source="Tramèr et al. 2016, USENIX Security, section 7",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1609.02943", "atlas:AML.M0002"),
        default=True,
    )
)
class RoundedAnswers:
    """Tells probabilities with few digits.

    What it does:
        Each probability is rounded; the sum may differ from one. The model behind it is not touched.

    Why it helps:
        Exact probabilities give a thief of a linear or small model equations to solve; rounded ones leave him rows to
        learn from.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        Digits.

    Cost:
        One rounding a probability; no accuracy. Clients that need exact probabilities lose them.

    Sources:
        Tramèr, Zhang, Juels, Reiter & Ristenpart 2016, "Stealing machine learning models via prediction APIs",
        section 7 (rounding confidences).

    Limits:
        A copy that is trained on labels loses nothing, and on networks it is nearly as faithful: `redan harden`
        measures how much this model gains, which is often too little to tell from noise. A query budget bounds what is
        left.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RoundedAnswersParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: RoundedAnswersParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the change; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: digits mean nothing.
        """
        if not 0 <= params.digits <= MOST_DIGITS:
            raise UsageError(f"digits is {params.digits}; expected 0 to {MOST_DIGITS}")
        if reason := budget.stop():
            raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
        note = f"answers rounded to {params.digits} digits"
        return PerturbedSubject(subject, lambda p, _: rounded(p, params.digits), note=note)
