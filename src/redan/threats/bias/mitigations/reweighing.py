"""Reweighing: rows of a class that is rare in their group count more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.fairness.weights import reweighed
from redan.threats.bias.refitting import Fits, anew, lesson_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.bias.refitting import Fittable


@dataclass(frozen=True, slots=True, kw_only=True)
class ReweighingParams(core_params.Params):
    """Parameters of reweighing: none."""


@mitigation(
    Spec(
        id="RDN-BIA-101",
        name="reweighing",
        threat="bias",
        title="Reweighing: classes and groups independent in what is learned from",
        source="Kamiran & Calders 2012, Knowledge and Information Systems, algorithm 3",
        needs=("labels", "refittable"),
        data=("train", "sensitive"),
        cost="seconds",
        references=("doi:10.1007/s10115-011-0463-8",),
    )
)
class Reweighing:
    """Fits the same estimator anew with a weight for each row.

    What it does:
        A row weighs as much as its group and class would meet if they were independent, over how often they meet. The
        groups are those of all sensitive columns together.

    Why it helps:
        Where few people of a group have the favourable class, an estimator learns the group, or what stands for it, in
        place of what matters. Under these weights there is nothing to learn from the group.

    Shapes:
        train: a table (n, d), (n,) classes and (n,) groups by column.

    Units:
        None.

    Cost:
        One fit. Answers cost what they cost before, and need no sensitive column.

    Sources:
        Kamiran & Calders 2012, "Data preprocessing techniques for classification without discrimination".

    Limits:
        It aims at equal selection rates; equalised odds can become worse where base rates differ. The estimator, or the
        last step of a pipeline, must accept weights of rows.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ReweighingParams

    def apply(
        self,
        subject: Fittable,
        inputs: Inputs,
        params: ReweighingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject fitted with weights.

        Raises:
            BudgetSpent: before the fit began.
            UsageError: the estimator accepts no weights, or no sensitive column was named.
            SubjectFailed: it cannot be fitted on the rows.
        """
        lesson = lesson_of(subject, inputs, budget)
        classes = np.asarray(lesson.data.y, np.int64)
        weights = reweighed(lesson.groups.codes, classes)
        fresh = anew(subject, seed, self.spec.id)
        name = weight_name(fresh)

        def fit(x: Any, y: NDArray[Any]) -> Any:
            return fresh.fit(x, y, **{name: weights})

        observe.started(self.spec.name, 1)
        note = f"reweighed over {len(lesson.groups.levels)} groups, weights {weights.min():.2f} to {weights.max():.2f}"
        made = subject.refitted(Fits(fit), np.asarray(lesson.data.x), classes, note=f"{note}, seed {seed}")
        observe.finished(self.spec.name, note)
        return made


def weight_name(estimator: Any) -> str:
    """Return the parameter of ``fit`` that takes weights of rows.

    Raises:
        UsageError: there is none.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    steps = estimator.steps if isinstance(estimator, Pipeline) else [("", estimator)]
    name, last = steps[-1]
    if not has_fit_parameter(last, "sample_weight"):
        raise UsageError(
            f"{type(last).__name__} accepts no weights of rows",
            hint="threshold-optimiser takes any model with scores",
        )
    return f"{name}__sample_weight" if name else "sample_weight"
