"""Threshold optimiser: a threshold for each group, so that errors fall on all alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import SubjectFailed
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.failures import first_line, needing
from redan.threats.bias.asking import probabilities
from redan.threats.bias.deciding import DecidingSubject
from redan.threats.bias.refitting import lesson_of, two_classes
from redan.threats.bias.taken import few_values, groups_in, taken_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.bias.asking import Scored

    Rule = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdOptimiserParams(core_params.Params):
    """Parameters of the threshold optimiser.

    Attributes:
        constraint: what is to be alike in all groups.
    """

    constraint: Literal["equalised-odds", "demographic-parity", "equal-opportunity"] = "equalised-odds"


_THEIRS = {
    "equalised-odds": "equalized_odds",
    "demographic-parity": "demographic_parity",
    "equal-opportunity": "true_positive_rate_parity",
}


@mitigation(
    Spec(
        id="RDN-BIA-104",
        name="threshold-optimiser",
        threat="bias",
        title="Threshold optimiser: a threshold for each group",
        source="Hardt, Price & Srebro 2016, NIPS, section 3.2",
        needs=("labels", "scores"),
        data=("train", "sensitive"),
        cost="seconds",
        references=("arxiv:1610.02413",),
    )
)
class ThresholdOptimiser:
    """Leaves the model as it is and decides about its scores by a threshold, or a mix of two, for each group.

    What it does:
        On the training rows the most accurate thresholds are found under which the groups have the same true and false
        positive rates (or selection rates). Any model with scores can be put behind it; it is not trained.

    Why it helps:
        Where scores order people well within each group, most of the gap comes from one threshold for all.

    Shapes:
        train: a table (n, d), (n,) classes 0 and 1; at least one sensitive column of at most 12 values is among the d.

    Units:
        None.

    Cost:
        One answer a training row; an answer costs one answer of the model.

    Sources:
        Hardt, Price & Srebro 2016, "Equality of opportunity in supervised learning"; fairlearn does the work.

    Limits:
        It decides by the group openly, which law may forbid, and needs the sensitive column with each row. Some rows
        are decided by chance, drawn from the row itself. If the model was trained on the same rows its scores flatter
        there, and the thresholds fit others less well. A group that the training rows do not have is decided as before.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ThresholdOptimiserParams

    def apply(
        self,
        subject: Scored,
        inputs: Inputs,
        params: ThresholdOptimiserParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the thresholds.

        Raises:
            BudgetSpent: there is nothing to spend.
            UsageError: more than two classes, or the model is given no sensitive column.
            SubjectFailed: a group has one class only.
        """
        data = lesson_of(subject, inputs, budget).data
        two_classes(subject, data, self.spec.name)
        places = taken_columns(data, inputs)
        few_values(np.asarray(data.x), places)
        observe.started(self.spec.name, 1)
        groups = groups_in(data.x, places)
        rules = _rules(probabilities(subject, data.x)[:, 1], np.asarray(data.y), groups, params.constraint)
        note = f"thresholds for {len(rules)} groups of {', '.join(places)}, {params.constraint}"
        observe.finished(self.spec.name, note)

        def chance(x: NDArray[Any]) -> NDArray[np.float64]:
            score, own = probabilities(subject, x)[:, 1], groups_in(x, places)
            decided = np.asarray(subject.labels(x) == 1, np.float64)
            for group, rule in rules.items():
                here = own == group
                decided[here] = rule(score[here])
            return decided

        grid = np.linspace(0, 1, 1001)
        made_of = b"".join(group.encode() + rule(grid).tobytes() for group, rule in sorted(rules.items()))
        return DecidingSubject(subject, chance, note=note, made_of=made_of, seed=derive(seed, self.spec.id))


def _rules(score: NDArray[Any], y: NDArray[Any], groups: NDArray[Any], constraint: str) -> dict[str, Rule]:
    """Return for each group how scores become chances of class 1."""
    with needing("threshold-optimiser"):
        from fairlearn.postprocessing import ThresholdOptimizer
        from sklearn.linear_model import LinearRegression
    # the scores were asked for already: this hands them through
    given = LinearRegression()
    given.coef_, given.intercept_ = np.ones(1), 0.0
    search = ThresholdOptimizer(estimator=given, constraints=_THEIRS[constraint], prefit=True, predict_method="predict")
    try:
        search.fit(score[:, None], y, sensitive_features=groups)
    except ValueError as err:
        raise SubjectFailed(
            f"no thresholds were found: {first_line(err)}", hint="every group needs training rows of both classes"
        ) from err
    found = search.interpolated_thresholder_.interpolation_dict
    return {str(group): _rule(mix) for group, mix in found.items()}


def _rule(mix: Any) -> Rule:
    steps = [
        (float(mix[f"p{i}"]), mix[f"operation{i}"].operator, float(mix[f"operation{i}"].threshold)) for i in (0, 1)
    ]
    ignored, constant = float(mix.get("p_ignore", 0.0)), float(mix.get("prediction_constant", 0.0))

    def rule(score: NDArray[np.float64]) -> NDArray[np.float64]:
        said = sum(p * np.asarray(score > t if sign == ">" else score < t, np.float64) for p, sign, t in steps)
        return np.clip(ignored * constant + (1 - ignored) * np.asarray(said), 0.0, 1.0)

    return rule
