"""Probabilities of each row's class from models that were fitted without the row."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.draws import sample_keys, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_STREAM = 0
STEPS = 60
"""Of L-BFGS; ranks of rows do not move after that."""
STRENGTH = 0.05
"""Inverse of the weight of the squared coefficients: strong enough that a wrong label is not learnt by heart."""


def folds_of(labels: NDArray[Any], indices: NDArray[Any], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Deal the rows of each class out to folds by keyed draws, so that their order does not matter.

    Args:
        labels: (n,) classes.
        indices: (n,) place of each row in its source.
        n_folds: how many.
        seed: of the draws.
    """
    draws = uniform(sample_keys(seed, "label_errors.folds", indices), (), stream=_STREAM)
    folds = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        folds[rows[np.lexsort((indices[rows], draws[rows]))]] = np.arange(len(rows)) % n_folds
    return folds


def held_out(
    features: NDArray[np.float64],
    labels: NDArray[Any],
    folds: NDArray[np.int64],
    stop: Callable[[], object] = lambda: None,
) -> NDArray[np.float64] | None:
    """Return probabilities by a logistic regression fitted on the other folds; None when ``stop`` gave a reason.

    Args:
        features: (n, d).
        labels: (n,) class indices 0 … k-1, each in at least two rows.
        folds: (n,) from `folds_of`.
        stop: asked before each fit.

    Returns:
        (n, k), rows that sum to 1; a class that no other fold holds has 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(labels), int(labels.max()) + 1))
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    for fold in np.unique(folds):
        if stop():
            return None
        inside = folds == fold
        model = LogisticRegression(C=STRENGTH, max_iter=STEPS, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the ranks of rows have settled long before
            model.fit(scaled[~inside], labels[~inside])
        found[np.ix_(inside, model.classes_)] = model.predict_proba(scaled[inside])
    return found
