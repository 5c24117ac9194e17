"""Monotone trees: in a column that an attacker can move one way only, moving it that way gains nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.kernels.constraints.resolving import of_table
from redan.threats.evasion.refitting import anew, taught_on

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.refitting import Trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class MonotoneTreesParams(core_params.Params):
    """Parameters of monotone trees.

    Attributes:
        protected: class, 0 or 1, whose rows attackers want to have taken for the other.
    """

    protected: int = 1


@mitigation(
    Spec(
        id="RDN-EVA-131",
        name="monotone-trees",
        threat="evasion",
        title="Trees that are monotone in the columns which can only grow or only fall",
        source="Incer et al. 2018, IWSPA, section 3",
        needs=("trees", "refittable"),
        data=("train",),
        cost="seconds",
        references=("doi:10.1145/3180445.3180449", "atlas:AML.M0003"),
    )
)
class MonotoneTrees:
    """Fits the same estimator anew, monotone in every column that ``[constraints]`` calls only_up or only_down.

    What it does:
        Where a column can only grow, the score of the protected class must not fall when it does; where it can only
        fall, not when it falls. The library holds the trees to it while it fits them.

    Why it helps:
        Whoever can only add (bytes to a program, words to a mail) can then add as much as they like: the protected
        class's score cannot fall. Moves in those columns become useless, whatever their size, by construction.

    Shapes:
        train: a table (n, d) of finite numbers, (n,) classes 0 and 1.

    Units:
        None.

    Cost:
        One fit. Answers cost what they cost before.

    Sources:
        Incer, Theodorides, Afroz & Wagner 2018, "Adversarially robust malware detection using monotonic
        classification".

    Limits:
        Two classes. The rows of the other class become no harder to move. Decision trees, forests and histogram
        boosting of scikit-learn, XGBoost and LightGBM can be held monotone; GradientBoostingClassifier cannot.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = MonotoneTreesParams

    def apply(
        self,
        subject: Trainable,
        inputs: Inputs,
        params: MonotoneTreesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject with monotone trees.

        Raises:
            BudgetSpent: before the fit began.
            UsageError: no column goes one way only, more than two classes, or an estimator that cannot be held.
            SubjectFailed: the estimator cannot be fitted on the rows.
        """
        data = taught_on(subject, inputs, budget)
        signs = _signs(subject, data, inputs, params.protected)
        fresh = anew(subject, seed, self.spec.id, **_held(subject.estimator, signs))
        observe.started(self.spec.name, 1)
        if reason := budget.stop():
            raise BudgetSpent(f"the trees were not fitted: {reason}", hint="give a larger budget")
        note = f"monotone in {int(np.count_nonzero(signs))} columns, class {params.protected} protected, seed {seed}"
        made = subject.refitted(fresh, np.asarray(data.x), np.asarray(data.y, np.int64), note=note)
        observe.finished(self.spec.name, note)
        return made


def _signs(subject: Trainable, data: Dataset, inputs: Inputs, protected: int) -> list[int]:
    """Return 1, −1 or 0 for each column: how class 1's score may follow it."""
    if len(subject.classes) != 2 or protected not in (0, 1):
        raise UsageError(
            f"{len(subject.classes)} classes, class {protected} protected; monotone trees are for classes 0 and 1"
        )
    rules = of_table(inputs.constraints, data)
    if rules is None or not (rules.up | rules.down).any():
        raise UsageError(
            "no column goes one way only, so there is nothing to hold",
            hint="declare only_up or only_down under [constraints]",
        )
    signs = (rules.up.astype(int) - rules.down.astype(int)) * (1 if protected else -1)
    return [int(sign) for sign in signs]


def _held(estimator: Any, signs: list[int]) -> dict[str, Any]:
    """Return the estimator's own parameter that holds it."""
    known = estimator.get_params()
    if "monotonic_cst" in known:
        return {"monotonic_cst": np.array(signs)}
    if "monotone_constraints" in known:
        return {"monotone_constraints": tuple(signs)}
    if type(estimator).__module__.startswith("lightgbm"):
        return {"monotone_constraints": signs}
    raise UsageError(
        f"a {type(estimator).__name__} cannot be held monotone",
        hint="HistGradientBoostingClassifier, forests, XGBoost and LightGBM can",
    )
