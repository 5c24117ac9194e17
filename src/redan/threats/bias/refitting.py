"""Fitting an estimator anew on rows of people: what the mitigations of scikit-learn estimators share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.seeds import derive
from redan.kernels.fairness.encoding import Encoded, encode
from redan.subjects.fit import check_fit
from redan.threats.bias.people import groups_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Labels, Refittable, Subject

    class Fittable(Subject, Labels, Refittable, Protocol):
        """A subject around an estimator that can be fitted anew."""


_MOST_SEED = 2**31 - 1
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """Training rows with their groups.

    Attributes:
        data: the rows; inputs are one table.
        groups: of each row, all sensitive columns together.
        by_column: of each row, by sensitive column.
    """

    data: Dataset
    groups: Encoded
    by_column: dict[str, Encoded]


def lesson_of(subject: Subject, inputs: Inputs, budget: Budget) -> Lesson:
    """Return the training rows and their groups.

    Raises:
        BudgetSpent: there is nothing to spend.
        UsageError: no training rows, or no sensitive column was named.
        ShapeMismatch: too few rows or groups, or model and data do not fit together.
    """
    data = inputs.role("train")
    if reason := budget.stop():
        raise BudgetSpent(f"nothing was fitted: {reason}", hint="give a larger budget")
    by_column = groups_of(data, inputs)
    if len(data) < LEAST_ROWS:
        raise ShapeMismatch(f"{data.name!r} has {len(data)} rows; expected at least {LEAST_ROWS} to learn from")
    check_fit(subject, data)
    if not np.isfinite(np.asarray(data.x, np.float64)).all():
        raise ShapeMismatch(f"{data.name!r} holds NaN or infinity", hint="remove or impute those rows")
    if len(np.unique(data.y)) < 2:
        raise ShapeMismatch(f"{data.name!r} holds one class only; expected at least two to learn from")
    return Lesson(data=data, groups=together(by_column), by_column=by_column)


def together(by_column: dict[str, Encoded]) -> Encoded:
    """Return the groups of all columns together.

    Raises:
        ShapeMismatch: all rows are of one group.
    """
    columns = list(by_column.values())
    joint = encode(np.array([" and ".join(names) for names in zip(*map(_texts, columns), strict=True)], np.str_))
    if len(joint.levels) < 2:
        raise ShapeMismatch("all training rows are of one group; expected at least two to treat alike")
    return joint


def _texts(column: Encoded) -> list[str]:
    return [column.levels[code] for code in column.codes.tolist()]


def two_classes(subject: Subject, data: Dataset, what: str) -> None:
    """Refuse models of more than two classes.

    Raises:
        UsageError: there are more.
    """
    k = max(len(subject.classes), int(np.max(data.y)) + 1)
    if k != 2:
        raise UsageError(f"{what} is for two classes; {subject.ref.name!r} has {k}", hint="reweighing takes any number")


def anew(subject: Fittable, seed: int, key: str) -> Any:
    """Return the estimator with its own parameters, not fitted, with seeds where it had none."""
    from sklearn.base import clone

    fresh = clone(subject.estimator)
    own = derive(seed, key, "random_state") % _MOST_SEED
    unset = {
        name: own
        for name, value in fresh.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return fresh.set_params(**unset)


class Fits:
    """Stands in for an estimator while it is fitted: whoever calls ``fit`` gets what the function returns."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def fit(self, x: Any, y: NDArray[Any]) -> Any:
        """Fit on rows as the estimator itself is given them."""
        return self._function(x, y)
