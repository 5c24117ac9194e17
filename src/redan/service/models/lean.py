"""Scaled linear models of scikit-learn without the checks that scikit-learn repeats for every call.

A pipeline of a scaler and a logistic regression is two subtractions, a product and an exponential; for one row its
library spends a hundred times as long on looking at types. The same arithmetic in the same order is done here, for
exactly these classes of scikit-learn; whatever else a pipeline holds is asked through scikit-learn.

Source: scikit-learn's documentation of StandardScaler, MinMaxScaler and LogisticRegression (formulas), checked against
the library on sample rows when a model is loaded, and in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Step = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]

_LIBRARY = "sklearn."


def lean(estimator: Any, name: str) -> Step | None:
    """Return ``predict_proba`` of an estimator in plain arithmetic, or None where it is not of the kinds known here.

    Args:
        estimator: fitted.
        name: of the model, for messages.
    """
    *scalers, final = [step for _, step in estimator.steps] if _is(estimator, "Pipeline") else [estimator]
    before = [_scaler(each) for each in scalers]
    if not _is(final, "LogisticRegression") or any(step is None for step in before):
        return None
    if any(getattr(each, "feature_names_in_", None) is not None for each in (*scalers, final)):
        return None
    steps = [step for step in before if step is not None]
    return _regression(final, steps, int(estimator.n_features_in_), name)


def _is(thing: Any, kind: str) -> bool:
    """Tell whether a thing is of exactly this class of scikit-learn; a subclass may do anything."""
    return type(thing).__name__ == kind and type(thing).__module__.startswith(_LIBRARY)


def _scaler(thing: Any) -> Step | None:
    if _is(thing, "StandardScaler"):
        shift = np.asarray(thing.mean_, np.float64) if thing.with_mean else 0.0
        scale = np.asarray(thing.scale_, np.float64) if thing.with_std else 1.0
        return lambda x: (x - shift) / scale
    if _is(thing, "MinMaxScaler") and not thing.clip:
        factor, offset = np.asarray(thing.scale_, np.float64), np.asarray(thing.min_, np.float64)
        return lambda x: x * factor + offset
    return None


def _regression(final: Any, steps: list[Step], width: int, name: str) -> Step:
    # scikit-learn's own, so that not one bit differs; scipy brings no types
    expit = import_module("scipy.special").expit

    # a view as the library multiplies with, not a copy: another layout may round otherwise
    weight, bias = np.asarray(final.coef_, np.float64).T, np.asarray(final.intercept_, np.float64)
    several = weight.shape[1] > 1

    def probabilities(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.ndim != 2 or x.shape[1] != width:
            raise ShapeMismatch(f"{name!r} takes rows of {width} numbers; these have the shape {x.shape}")
        for step in steps:
            x = step(x)
        margins = x @ weight + bias
        if several:
            return _shares(margins)
        high = expit(margins[:, 0])
        return np.stack((1 - high, high), axis=1)

    return probabilities


def _shares(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn margins (n, k) into probabilities (n, k)."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
