"""Temperature: probabilities are told flatter than they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.answers import tempered
from redan.threats.privacy.perturbing import perturbed

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored


MOST = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureParams(core_params.Params):
    """Parameters of the temperature.

    Attributes:
        temperature: above one probabilities are flatter.
    """

    temperature: float = 4.0


@mitigation(
    Spec(
        id="RDN-PRI-103",
        name="temperature",
        threat="privacy",
        title="Probabilities at a raised temperature",
        source="Shokri et al. 2017, IEEE S&P, section VIII",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1610.05820", "arxiv:2007.14321", "atlas:AML.M0002"),
        default=False,
    )
)
class Temperature:
    """Tells probabilities in proportion to their power 1 / temperature.

    What it does:
        Probabilities become flatter and still sum to one. The model behind it is not touched.

    Why it helps:
        Attacks that read how close a probability is to one see smaller differences, above all once the answer is
        rounded as well.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        Temperature, without unit.

    Cost:
        One power a probability; no accuracy. Probabilities no longer say how often the model is right.

    Sources:
        Shokri, Stronati, Song & Shmatikov 2017, "Membership inference attacks against machine learning models", section
        VIII (entropy of the prediction vector).

    Limits:
        Nothing is hidden: whoever knows or guesses the temperature undoes it to the last digit that is told, and
        reference models behind the same temperature hardly notice it. Shown because it is often advised. Labels stay
        what they were, so that attacks that read labels only (label-only) are untouched.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TemperatureParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: TemperatureParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the change; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: the temperature is not above zero.
        """
        if not 0 < params.temperature <= MOST:
            raise UsageError(f"temperature is {params.temperature:g}; expected above 0, at most {MOST:g}")
        note = f"probabilities at temperature {params.temperature:g}"
        return perturbed(subject, lambda p, _: tempered(p, params.temperature), note=note, budget=budget)
