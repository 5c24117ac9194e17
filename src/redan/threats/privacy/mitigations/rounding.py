"""Rounding: probabilities are told with few digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.answers import rounded
from redan.threats.privacy.perturbing import perturbed

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored


MOST_DIGITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundingParams(core_params.Params):
    """Parameters of rounding.

    Attributes:
        digits: digits after the point that are told.
    """

    digits: int = 1


@mitigation(
    Spec(
        id="RDN-PRI-102",
        name="rounding",
        threat="privacy",
        title="Probabilities rounded to few digits",
        source="Shokri et al. 2017, IEEE S&P, section VIII",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1610.05820", "arxiv:2007.14321", "atlas:AML.M0002"),
        default=True,
    )
)
class Rounding:
    """Tells probabilities with few digits.

    What it does:
        Each probability is rounded; the sum may differ from one. The model behind it is not touched.

    Why it helps:
        Membership shows in small differences between probabilities near one; rounded, most records of both sides say
        the same.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        Digits.

    Cost:
        One rounding a probability; no accuracy.

    Sources:
        Shokri, Stronati, Song & Shmatikov 2017, "Membership inference attacks against machine learning models", section
        VIII (rounding).

    Limits:
        Labels stay what they were, so that attacks that read labels only (label-only) are untouched. Records that are
        told with a low probability of their class stay apart even after rounding, and they are those most at risk.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RoundingParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: RoundingParams,
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
        note = f"probabilities rounded to {params.digits} digits"
        return perturbed(subject, lambda p, _: rounded(p, params.digits), note=note, budget=budget)
