"""How well one column alone tells the class: a column that tells it too well knows the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.membership import Auc, auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What one column tells.

    Attributes:
        column: its place.
        auc: how well it tells one class from the others, for the class it tells best.
        of_class: that class.
    """

    column: int
    auc: Auc
    of_class: int


def alone(x: NDArray[Any], y: NDArray[Any], *, seed: int) -> tuple[Alone, ...]:
    """Return what each column tells by itself, best first.

    A small tree on the one column gives out-of-fold probabilities, so that any shape of dependence counts; the AUC of
    each class against the others follows from them.

    Args:
        x: (n, d) rows.
        y: (n,) class indices; classes with fewer than two rows a fold are left out.
        seed: of the folds.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    classes, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, classes[counts >= 2 * FOLDS])
    x, y = x[kept], y[kept]
    classes = np.unique(y)
    if len(classes) < 2:
        return ()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    found = []
    for column in range(x.shape[1]):
        weak = DecisionTreeClassifier(max_leaf_nodes=8, min_samples_leaf=5, random_state=seed)
        told = cross_val_predict(weak, x[:, [column]], y, cv=folds, method="predict_proba")
        each = [(auc(told[y == c, i], told[y != c, i]), int(c)) for i, c in enumerate(classes)]
        best, of_class = max(each, key=lambda pair: pair[0].value)
        found.append(Alone(column=column, auc=best, of_class=of_class))
    return tuple(sorted(found, key=lambda one: (-one.auc.value, one.column)))
