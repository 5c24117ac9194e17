"""Attributions of tables: Shapley values through shap, and LIME."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.explain.attribution import Attribution, Probabilities

LIME_SAMPLES = 500


def permutation_shap(
    ask: Probabilities, x: NDArray[Any], classes: NDArray[Any], background: NDArray[Any], *, seed: int
) -> Attribution:
    """Shapley values by antithetic permutations of the columns.

    Source: Strumbelj & Kononenko 2014, "Explaining prediction models and individual predictions", algorithm 1, as in
    shap's permutation explainer: one permutation forwards and backwards a row, so additive exactly.

    Args:
        ask: (n, d) to (n, k) probabilities.
        x: (n, d) rows.
        classes: (n,) classes to explain.
        background: (b, d) rows that stand for "not known".
        seed: of the permutations.
    """
    with _quiet(seed):
        import shap

        counted = _Counted(ask)
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explainer = shap.explainers.Permutation(counted, masker, seed=seed)
        return _explained(
            "permutation-shap",
            lambda: explainer(x, max_evals=2 * x.shape[1] + 1, silent=True).values,
            x,
            classes,
            counted,
        )


def kernel_shap(
    ask: Probabilities, x: NDArray[Any], classes: NDArray[Any], background: NDArray[Any], *, seed: int
) -> Attribution:
    """Shapley values by weighted regression over coalitions of columns.

    Source: Lundberg & Lee 2017, "A unified approach to interpreting model predictions", theorem 2.

    Args:
        ask: (n, d) to (n, k) probabilities.
        x: (n, d) rows.
        classes: (n,) classes to explain.
        background: (b, d) rows that stand for "not known".
        seed: of the coalitions.
    """
    with _quiet(seed):
        import shap

        counted = _Counted(ask)
        explainer = shap.KernelExplainer(counted, background)
        return _explained(
            "kernel-shap", lambda: explainer.shap_values(x, silent=True, l1_reg=False), x, classes, counted
        )


def tree_shap(estimator: Any, x: NDArray[Any], classes: NDArray[Any]) -> Attribution:
    """Exact path-dependent Shapley values of trees: by the library's own code where it has some, else by shap's.

    Source: Lundberg et al. 2020, "From local explanations to global understanding", algorithm 2.

    Args:
        estimator: fitted XGBoost or LightGBM model, or scikit-learn's trees, forests and boosted trees.
        x: (n, d) rows.
        classes: (n,) classes to explain.

    Raises:
        ValueError: its trees cannot be read.
    """
    begun = time.process_time()
    own = _own_contributions(estimator, x)
    if own is None:
        with _quiet(0):
            import shap

            try:
                own = np.asarray(shap.TreeExplainer(estimator).shap_values(x, check_additivity=False))
            except Exception as err:  # shap raises its own kinds for models it does not know
                raise ValueError(f"shap cannot read the trees of {type(estimator).__name__}: {err}") from err
    values = _of_classes(own, classes, len(x), x.shape[1])
    return Attribution(method="tree-shap", values=values, calls=len(x), cpu_s=time.process_time() - begun)


def lime(
    ask: Probabilities, x: NDArray[Any], classes: NDArray[Any], background: NDArray[Any], *, seed: int
) -> Attribution:
    """Coefficients of a linear model fitted to the answers around a row, times how far the row is from the mean.

    Source: Ribeiro, Singh & Guestrin 2016, "Why should I trust you?", algorithm 1.

    Args:
        ask: (n, d) to (n, k) probabilities.
        x: (n, d) rows.
        classes: (n,) classes to explain.
        background: (b, d) rows that say how columns vary.
        seed: of the neighbours.
    """
    begun = time.process_time()
    values = np.zeros(x.shape, np.float64)
    scale = background.std(axis=0)
    with _quiet(seed):
        from lime.lime_tabular import LimeTabularExplainer

        explainer = LimeTabularExplainer(background, discretize_continuous=False, random_state=seed)
        for row, (inputs, answered) in enumerate(zip(x, classes.tolist(), strict=True)):
            told = explainer.explain_instance(
                inputs, ask, labels=(answered,), num_features=x.shape[1], num_samples=LIME_SAMPLES
            )
            for column, weight in told.as_map()[answered]:
                values[row, column] = weight
    far = np.divide(x - background.mean(axis=0), scale, out=np.zeros(x.shape, np.float64), where=scale > 0)
    return Attribution(
        method="lime", values=values * far, calls=len(x) * LIME_SAMPLES, cpu_s=time.process_time() - begun
    )


def _own_contributions(estimator: Any, x: NDArray[Any]) -> NDArray[Any] | None:
    module = type(estimator).__module__.partition(".")[0]
    if module == "lightgbm":
        booster = getattr(estimator, "booster_", estimator)
        own = np.asarray(booster.predict(x, pred_contrib=True))
        per_class = own.reshape(len(x), -1, x.shape[1] + 1)[:, :, :-1]
        return np.asarray(per_class.transpose(0, 2, 1)) if per_class.shape[1] > 1 else np.asarray(per_class[:, 0])
    if module == "xgboost":
        import xgboost

        booster = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator
        rows = xgboost.DMatrix(x, feature_names=booster.feature_names)
        own = np.asarray(booster.predict(rows, pred_contribs=True))
        return np.asarray(own[:, :, :-1].transpose(0, 2, 1)) if own.ndim == 3 else np.asarray(own[:, :-1])
    return None


class _Counted:
    """Counts the rows that a library asks about."""

    def __init__(self, ask: Probabilities) -> None:
        self._ask = ask
        self.calls = 0

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        self.calls += len(x)
        return self._ask(np.asarray(x))


def _explained(
    method: str, run: Callable[[], Any], x: NDArray[Any], classes: NDArray[Any], counted: _Counted
) -> Attribution:
    begun = time.process_time()
    values = _of_classes(np.asarray(run()), classes, len(x), x.shape[1])
    return Attribution(method=method, values=values, calls=counted.calls, cpu_s=time.process_time() - begun)


def _of_classes(values: NDArray[Any], classes: NDArray[Any], n: int, d: int) -> NDArray[np.float64]:
    """Choose each row's own class from (n, d), (n, d, k) or (k, n, d); of two classes (n, d) speaks for the later."""
    if values.ndim == 2:
        sign = np.where(np.asarray(classes) == 1, 1.0, -1.0)
        return np.asarray(values * sign[:, None], np.float64)
    if values.shape[:2] != (n, d):
        values = np.moveaxis(values, 0, 2)
    return np.asarray(values[np.arange(n), :, classes], np.float64)


@contextmanager
def _quiet(seed: int) -> Iterator[None]:
    """Keep libraries that draw from numpy's global stream, or warn about their own dependencies, to themselves."""
    before = np.random.get_state()  # noqa: NPY002 - it is given back below
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(seed % 2**32)  # noqa: NPY002 - shap and lime know no other stream
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002
