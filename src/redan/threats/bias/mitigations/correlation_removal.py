"""Correlation removal: what other columns know linearly about a sensitive one is taken out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import ShapeMismatch, UsageError
from redan.core.probe import Spec
from redan.subjects.failures import needing
from redan.threats.bias.refitting import anew, lesson_of
from redan.threats.bias.taken import taken_columns

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.bias.refitting import Fittable


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationRemovalParams(core_params.Params):
    """Parameters of correlation removal.

    Attributes:
        alpha: how much of the correlation is taken out, from 0 to 1.
    """

    alpha: float = 1.0


@mitigation(
    Spec(
        id="RDN-BIA-102",
        name="correlation-removal",
        threat="bias",
        title="Correlation removal: columns made uncorrelated with the sensitive ones",
        source="Bird et al. 2020, MSR-TR-2020-32 (Fairlearn), CorrelationRemover; least squares",
        needs=("labels", "refittable"),
        data=("train", "sensitive"),
        cost="seconds",
        references=(),
    )
)
class CorrelationRemoval:
    """Puts a linear filter in front of the estimator and fits it anew, without the sensitive columns.

    What it does:
        Each other column is replaced by what is left of it after a least-squares fit on the sensitive columns that the
        model is given; these are then left out. The filter becomes the first step of a pipeline.

    Why it helps:
        Leaving out a sensitive column alone does not help when others stand for it. After the filter no linear function
        of them does.

    Shapes:
        train: a table (n, d) with (n,) classes; at least one sensitive column is among the d.

    Units:
        None.

    Cost:
        One least-squares fit and one fit of the estimator; a small matrix product an answer.

    Sources:
        Bird et al. 2020, "Fairlearn: a toolkit for assessing and improving fairness in AI", whose CorrelationRemover
        does the work.

    Limits:
        Only linear correlation goes; trees find the rest. The sensitive columns must be given with each row that is
        asked about, since the filter needs them.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CorrelationRemovalParams

    def apply(
        self,
        subject: Fittable,
        inputs: Inputs,
        params: CorrelationRemovalParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the filter.

        Raises:
            BudgetSpent: before the fit began.
            UsageError: the model is given no sensitive column, or alpha is no share.
            SubjectFailed: the estimator cannot be fitted on the rows.
        """
        if not 0 < params.alpha <= 1:
            raise UsageError(f"alpha is {params.alpha:g}; expected above 0 and at most 1")
        data = lesson_of(subject, inputs, budget).data
        places = taken_columns(data, inputs)
        if len(places) == data.x.shape[1]:
            raise ShapeMismatch("every column is sensitive; nothing is left to decide by")
        with needing(self.spec.name):
            from fairlearn.preprocessing import CorrelationRemover
            from sklearn.pipeline import Pipeline
        by_name = hasattr(subject.estimator, "feature_names_in_")
        remover = CorrelationRemover(
            sensitive_feature_ids=list(places) if by_name else list(places.values()), alpha=params.alpha
        )
        fresh = Pipeline([("without_correlation", remover), ("model", anew(subject, seed, self.spec.id))])
        observe.started(self.spec.name, 1)
        note = f"without correlation with {', '.join(places)}, alpha {params.alpha:g}, seed {seed}"
        made = subject.refitted(fresh, np.asarray(data.x, np.float64), np.asarray(data.y, np.int64), note=note)
        observe.finished(self.spec.name, note)
        return made
