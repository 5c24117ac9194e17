"""Robust splits: trees fitted on rows and on copies of them from the ball that they must withstand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.kernels.constraints.resolving import of_table
from redan.kernels.draws import normal, sample_keys, uniform
from redan.threats.evasion.refitting import anew, taught_on
from redan.threats.evasion.scaling import scaling
from redan.threats.evasion.setting import DEFAULT_EPS, box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.refitting import Trainable

MOST_VALUES = 200_000_000
"""Most numbers in all rows and copies together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustTreesParams(core_params.Params):
    """Parameters of robust splits.

    Attributes:
        norm: ball that the copies are taken from.
        eps: its radius; on the inputs' own scale, or as a share of each column's range for tables without bounds.
        copies: copies of each row.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    copies: int = 10


@mitigation(
    Spec(
        id="RDN-EVA-130",
        name="robust-trees",
        threat="evasion",
        title="Trees fitted on the rims of balls around their rows, so that splits keep their distance",
        source="Chen et al. 2019, ICML, section 3.2, with sampled corners in place of its worst case in each split",
        needs=("trees", "refittable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1902.10660", "atlas:AML.M0003"),
    )
)
class RobustTrees:
    """Fits the same estimator anew on the training rows and on copies at the rim of the ball around each.

    What it does:
        Every row is copied; under linf every column of a copy moves by ε up or down, under l2 the copy lies at ε in a
        random direction; copies keep the bounds and the rules of a table. A clone of the estimator, with the
        parameters it had, is fitted on all of them.

    Why it helps:
        A split between two close rows looks good on the rows alone. With the copies, rows from both sides lie on both
        sides of it, its gain shrinks, and a split with more room wins: what robust splits (Chen et al. 2019) reach by
        counting the rows within ε of each threshold in the worst way, any library's own splitter does here.

    Shapes:
        train: (n, …) finite numbers, (n,) classes.

    Units:
        ε on the inputs' own scale, or as a share of each column's range for tables without bounds.

    Cost:
        Fitting on ``copies`` + 1 times the rows. Answers cost what the larger trees cost.

    Sources:
        Chen, Zhang, Boning & Hsieh 2019, "Robust decision trees against adversarial examples".

    Limits:
        Corners are drawn, not the worst: in many columns few of them are seen. An ε near the distance between classes
        costs accuracy. Rows that early stopping was given are not known here, so such an estimator cannot be refitted.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RobustTreesParams

    def apply(
        self,
        subject: Trainable,
        inputs: Inputs,
        params: RobustTreesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject with refitted trees.

        Raises:
            BudgetSpent: before the fit began.
            UsageError: parameters that mean nothing.
            SubjectFailed: the estimator cannot be fitted on the rows.
        """
        data = taught_on(subject, inputs, budget)
        scale = scaling(subject, data)
        low, high = (scale.low, scale.low + scale.span) if scale else box(subject, data)
        eps = DEFAULT_EPS[params.norm] * (1.0 if scale else float(np.max(high) - np.min(low)))
        eps = eps if params.eps is None else params.eps
        if not eps > 0 or params.copies < 1 or data.x.size * (params.copies + 1) > MOST_VALUES:
            raise UsageError(
                f"eps is {eps:g} and copies {params.copies}; expected both above zero, and at most "
                f"{MOST_VALUES} values in all copies"
            )
        reach = eps * (scale.span if scale else np.ones(data.x.shape[1]))
        observe.started(self.spec.name, params.copies + 1)
        rows = _rims(data, inputs, params, reach, (low, high), sample_keys(seed, self.spec.id, data.indices))
        if reason := budget.stop():
            raise BudgetSpent(f"the trees were not fitted: {reason}", hint="give a larger budget")
        note = f"robust splits, {params.norm} {eps:g}, {params.copies} copies, seed {seed}"
        fresh = anew(subject, seed, self.spec.id)
        made = subject.refitted(fresh, rows, np.tile(np.asarray(data.y, np.int64), params.copies + 1), note=note)
        observe.finished(self.spec.name, f"fitted on {len(rows)} rows")
        return made


def _rims(
    data: Dataset,
    inputs: Inputs,
    params: RobustTreesParams,
    reach: NDArray[np.float64],
    ends: tuple[Any, Any],
    keys: NDArray[np.uint64],
) -> NDArray[Any]:
    """Return the rows and their copies, (n * (copies + 1), d)."""
    rules = of_table(inputs.constraints, data)
    x: Any = data.x
    kind = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    rows = [x.astype(kind)]
    for number in range(params.copies):
        if params.norm == "linf":
            way = np.where(uniform(keys, x.shape[1:], stream=number) < 0.5, -1.0, 1.0)
        else:
            way = normal(keys, x.shape[1:], stream=number).astype(np.float64)
            way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
        moved = np.clip(x + way * reach, ends[0], ends[1])
        rows.append((rules.project(moved, x) if rules else moved).astype(kind))
    return np.concatenate(rows)
