"""Labels only: a thief is told the class and nothing of how sure the model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent
from redan.core.probe import Spec
from redan.subjects.perturbed import PerturbedSubject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.perturbed import Scored


@mitigation(
    Spec(
        id="RDN-THE-102",
        name="labels-only",
        threat="theft",
        title="The class alone is told",
        source="Tramèr et al. 2016, USENIX Security, section 7",
        needs=("scores",),
        cost="instant",
        references=("arxiv:1609.02943", "atlas:AML.M0002"),
        default=False,
    )
)
class LabelsOnly:
    """Tells one for the model's class and zero for all others.

    What it does:
        The highest probability becomes one; of equal ones the first. The model behind it is not touched.

    Why it helps:
        A label tells a thief at most the logarithm of the number of classes, probabilities far more: he needs more
        queries for the same copy.

    Shapes:
        Any classifier with scores (n, classes).

    Units:
        One and zero.

    Cost:
        No accuracy. Clients lose every probability: thresholds, rankings and doubt.

    Sources:
        Tramèr, Zhang, Juels, Reiter & Ristenpart 2016, "Stealing machine learning models via prediction APIs",
        sections 6 and 7.

    Limits:
        It slows a copy down and does not stop it: with inputs of the model's own kind, labels of a network buy nearly
        the same copy. Attacks on membership that read labels alone go on working.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = core_params.Params

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: core_params.Params,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the change; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
        """
        if reason := budget.stop():
            raise BudgetSpent(f"the model was not wrapped: {reason}", hint="give a larger budget")
        return PerturbedSubject(subject, _class_alone, note="the class alone")


def _class_alone(p: NDArray[np.float64], _: NDArray[np.int64]) -> NDArray[np.float64]:
    told: Any = np.zeros_like(p)
    told[np.arange(len(p)), p.argmax(axis=1)] = 1.0
    return np.asarray(told, np.float64)
