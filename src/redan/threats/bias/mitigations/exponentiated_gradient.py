"""Exponentiated gradient: a vote of models fitted under costs until no group is worse off than allowed."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import SubjectFailed, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.failures import first_line, needing
from redan.threats.bias.deciding import DecidingSubject
from redan.threats.bias.mitigations.reweighing import weight_name
from redan.threats.bias.refitting import anew, lesson_of, two_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.bias.refitting import Fittable, Lesson


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentiatedGradientParams(core_params.Params):
    """Parameters of the exponentiated gradient.

    Attributes:
        constraint: what is to be alike in all groups.
        allowed: difference between a group and all rows that is allowed on the training rows.
        fits: fits, at most.
    """

    constraint: Literal["equalised-odds", "demographic-parity"] = "equalised-odds"
    allowed: float = 0.02
    fits: int = 20


@mitigation(
    Spec(
        id="RDN-BIA-103",
        name="exponentiated-gradient",
        threat="bias",
        title="Exponentiated gradient: a vote of models under a fairness constraint",
        source="Agarwal et al. 2018, ICML, algorithm 1",
        needs=("labels", "refittable"),
        data=("train", "sensitive"),
        cost="minutes",
        references=("arxiv:1803.02453",),
    )
)
class ExponentiatedGradient:
    """Fits the same estimator several times under changing costs, and lets the fits vote.

    What it does:
        Each round raises the costs of errors in groups that break the constraint and fits the estimator anew; the
        result is a mixture of the fits whose decisions keep the constraint on the training rows as far as they can.

    Why it helps:
        The constraint is written down and kept by what decides, not hoped for; the mixture is the most accurate one
        that keeps it.

    Shapes:
        train: a table (n, d), (n,) classes 0 and 1, (n,) groups by column, all sensitive columns together.

    Units:
        Differences of rates.

    Cost:
        Up to ``fits`` fits; an answer asks each model that has a vote.

    Sources:
        Agarwal, Beygelzimer, Dudik, Langford & Wallach 2018, "A reductions approach to fair classification"; fairlearn
        does the work.

    Limits:
        Two classes, and an estimator that accepts weights of rows. Some rows are decided by chance, which is drawn from
        the row itself: the same row gets the same answer, and rows that are almost alike may not. What holds on the
        training rows holds on others only within noise.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ExponentiatedGradientParams

    def apply(
        self,
        subject: Fittable,
        inputs: Inputs,
        params: ExponentiatedGradientParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the vote.

        Raises:
            BudgetSpent: before the first fit began.
            UsageError: more than two classes, or the estimator accepts no weights.
            SubjectFailed: it cannot be fitted under the constraint.
        """
        if not 0 < params.allowed < 1 or params.fits < 1:
            raise UsageError(f"allowed={params.allowed:g}, fits={params.fits}; expected a share and at least 1")
        lesson = lesson_of(subject, inputs, budget)
        two_classes(subject, lesson.data, self.spec.name)
        observe.started(self.spec.name, params.fits)
        voters, votes = _voters(subject, lesson, params, seed)
        note = f"{len(voters)} models vote for {params.constraint}, {params.allowed:g} allowed"
        observe.finished(self.spec.name, note)

        def chance(x: NDArray[Any]) -> NDArray[np.float64]:
            rows = np.asarray(x, np.float64).reshape(len(x), -1)
            said = [
                weight * np.asarray(voter.predict(rows), np.float64)
                for voter, weight in zip(voters, votes, strict=True)
            ]
            return np.asarray(np.clip(np.sum(said, axis=0), 0.0, 1.0))

        made_of = pickle.dumps((voters, votes))
        return DecidingSubject(subject, chance, note=note, made_of=made_of, seed=derive(seed, self.spec.id))


def _voters(
    subject: Fittable, lesson: Lesson, params: ExponentiatedGradientParams, seed: int
) -> tuple[list[Any], list[float]]:
    """Return the fits that have a vote, and how much of one; together 1."""
    with needing("exponentiated-gradient"):
        from fairlearn import reductions
    kinds = {"equalised-odds": reductions.EqualizedOdds, "demographic-parity": reductions.DemographicParity}
    fresh = anew(subject, seed, "RDN-BIA-103")
    search = reductions.ExponentiatedGradient(
        fresh,
        kinds[params.constraint](difference_bound=params.allowed),
        max_iter=params.fits,
        sample_weight_name=weight_name(fresh),
    )
    x = np.asarray(lesson.data.x, np.float64).reshape(len(lesson.data), -1)
    groups = np.array(lesson.groups.levels)[lesson.groups.codes]
    try:
        with warnings.catch_warnings():
            # fairlearn 0.15 uses what pandas 3 calls deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            search.fit(x, np.asarray(lesson.data.y, np.int64), sensitive_features=groups)
    except Exception as err:  # the owner's estimator may raise anything
        raise SubjectFailed(
            f"{type(fresh).__name__} cannot be fitted under {params.constraint}: {first_line(err)}",
            hint="every group needs rows of both classes",
        ) from err
    kept = [i for i, weight in enumerate(search.weights_) if weight > 1e-6]
    total = float(sum(search.weights_.iloc[i] for i in kept))
    return [search.predictors_.iloc[i] for i in kept], [float(search.weights_.iloc[i]) / total for i in kept]
