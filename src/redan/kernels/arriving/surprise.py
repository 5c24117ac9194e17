"""Two tests of an arriving row against trusted rows: does its label fit, and does it lie where its class lies?

Each is held against trusted rows of the same class that it was not fitted on, so that a benign row of any class raises
an alarm with about the same small probability: a source may send one class only.

Source: Vovk, Gammerman & Shafer 2005, "Algorithmic learning in a random world", section 4.5 (label-conditional
conformal predictors).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.principal import Principal, principal
from redan.kernels.statistics import clopper_pearson

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("label", "place")
COLUMNS = 32
STRENGTH = 0.05
STEPS = 60
LEAST_ROWS = 20
"""Trusted rows of a class on each side, at least."""
_RIDGE = 0.05
_DOUBT = 0.05
"""Chance that the rate of any class lies above what is allowed, at most, over all classes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trusted:
    """What trusted rows taught, as plain arrays.

    Attributes:
        axes: to principal components.
        weights: (d + 1, k) of a softmax regression.
        centres: (k, d) mean of each class.
        whitening: (d, d) that makes the common covariance the identity.
        thresholds: (2, k) surprise of label and of place from which a row of a class raises an alarm.
        allowed: highest alarm rate that benign rows of any class may have, for label and for place: the upper end of
            the interval of the class that was worst when the thresholds were set.
    """

    axes: Principal
    weights: NDArray[np.float64]
    centres: NDArray[np.float64]
    whitening: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    allowed: tuple[float, float]

    def surprises(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return (2, n): minus the log probability of the label, and the squared distance to the class's centre."""
        return _surprises(self.axes.of(x), y, self.weights, self.centres, self.whitening)

    def alarms(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (2, n), by kind, which of rows (n, …) with classes (n,) within 0 … k-1 raise an alarm."""
        return np.asarray(self.surprises(x, y) > self.thresholds[:, y])


def trust(x: NDArray[Any], y: NDArray[Any], held_x: NDArray[Any], held_y: NDArray[Any], rate: float) -> Trusted:
    """Learn from trusted rows and set the thresholds by other trusted rows.

    Args:
        x: (n, …) trusted rows.
        y: (n,) classes 0 … k-1, `LEAST_ROWS` of each at least.
        held_x: (m, …) others.
        held_y: (m,) their classes, as many of each.
        rate: share of benign rows that each kind of alarm may take.

    Raises:
        ValueError: too few rows of a class, or of the rate.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    n_classes = int(y.max()) + 1
    fewest = min(int(np.bincount(part, minlength=n_classes).min()) for part in (y, held_y))
    if fewest < LEAST_ROWS or not 0 < rate < 1 or fewest * rate < 1 or int(held_y.max()) >= n_classes:
        msg = f"the rarest class has {fewest} trusted rows on a side; {max(LEAST_ROWS, int(1 / rate) + 1)} are needed"
        raise ValueError(msg)
    axes = principal(x, COLUMNS)
    columns = axes.of(x)
    spread = columns.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    axes = Principal(mean=axes.mean, scale=axes.scale, axes=axes.axes / scale)
    columns = columns / scale
    model = LogisticRegression(C=STRENGTH, max_iter=STEPS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the thresholds are set for the model as it is
        model.fit(columns, y)
    coefficients = np.concatenate([model.coef_, model.intercept_[:, None]], axis=1).T
    if n_classes == 2:  # scikit-learn keeps one column then
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2], axis=1)
    centres = np.stack([columns[y == label].mean(axis=0) for label in range(n_classes)])
    whitening = _whitening(columns - centres[y])
    told = _surprises(axes.of(held_x), held_y, coefficients, centres, whitening)
    thresholds = np.stack([[np.quantile(row[held_y == c], 1 - rate) for c in range(n_classes)] for row in told])
    label, place = (_allowed(row > own[held_y], held_y) for row, own in zip(told, thresholds, strict=True))
    return Trusted(
        axes=axes,
        weights=coefficients,
        centres=centres,
        whitening=whitening,
        thresholds=thresholds,
        allowed=(label, place),
    )


def _allowed(alarms: NDArray[np.bool_], y: NDArray[Any]) -> float:
    classes = np.unique(y)
    sure = 1 - _DOUBT / len(classes)
    return max(clopper_pearson(int(alarms[y == c].sum()), int((y == c).sum()), sure)[1] for c in classes)


def _whitening(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(residuals.T @ residuals / len(residuals))
    return np.asarray(vectors / np.sqrt(np.maximum(values, _RIDGE * values.max())))


def _surprises(
    columns: NDArray[np.float64],
    y: NDArray[Any],
    weights: NDArray[np.float64],
    centres: NDArray[np.float64],
    whitening: NDArray[np.float64],
) -> NDArray[np.float64]:
    scores = columns @ weights[:-1] + weights[-1]
    top = scores.max(axis=1, keepdims=True)
    logs = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0] - scores[np.arange(len(y)), y]
    squared = (((columns - centres[y]) @ whitening) ** 2).sum(axis=1)
    return np.stack([logs, squared])
