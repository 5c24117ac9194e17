"""Fitting an estimator anew with its own parameters: what the mitigations of trees share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from redan.core.errors import BudgetSpent, ShapeMismatch
from redan.core.seeds import derive
from redan.threats.evasion.sampling import numbered

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Refittable, Subject, Trees

    class Trainable(Subject, Trees, Refittable, Protocol):
        """A subject whose trees can be fitted anew."""


_MOST_SEED = 2**31 - 1


def taught_on(subject: Trainable, inputs: Inputs, budget: Budget) -> Dataset:
    """Return the training rows as one table.

    Raises:
        BudgetSpent: there is nothing to spend.
        ShapeMismatch: the rows are no finite numbers, or of other columns or classes than the model's.
    """
    data = inputs.role("train")
    if reason := budget.stop():
        raise BudgetSpent(f"the trees were not fitted: {reason}", hint="give a larger budget")
    x: Any = np.asarray(data.x)
    d = int(subject.estimator.n_features_in_)
    if len(x) == 0 or x.dtype.kind not in "biuf" or int(np.prod(x.shape[1:])) != d:
        raise ShapeMismatch(
            f"{len(x)} rows of {data.name!r} are {x.dtype} of shape {x.shape[1:]}; expected {d} numbers"
        )
    if not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    numbered(data, len(subject.classes))
    return replace(data, x=x.reshape(len(x), -1))


def anew(subject: Trainable, seed: int, key: str, **changed: Any) -> Any:
    """Return the estimator with its own parameters, not fitted, with a seed where it had none."""
    from sklearn.base import clone

    fresh = clone(subject.estimator)
    if "random_state" in fresh.get_params() and fresh.get_params()["random_state"] is None:
        changed["random_state"] = derive(seed, key, "random_state") % _MOST_SEED
    return fresh.set_params(**changed) if changed else fresh
