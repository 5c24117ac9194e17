"""Influence of training rows on answers, through a softmax regression on fixed columns.

The regression stands in for the last layer of a network. It is convex, so that the change of its weights when a row is
left out follows from one Newton step: influence functions are exact to first order here, which they are not for a
whole network (Basu, Pope & Feizi 2021, "Influence functions in deep learning are fragile").
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 300
_TOLERANCE = 1e-5
_PART = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """A softmax regression with its training rows.

    Attributes:
        columns: (n, d + 1) training columns, the last one constant.
        labels: (n,) classes 0 … k-1.
        weights: (d + 1, k).
        decay: weight of half the squared weights, summed over rows as the losses are.
    """

    columns: NDArray[np.float64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    decay: float


def fit(columns: NDArray[np.float64], labels: NDArray[np.int64], decay: float) -> Head:
    """Fit by L-BFGS.

    Args:
        columns: (n, d).
        labels: (n,) classes 0 … k-1, each of which occurs, k at least 2.
        decay: above 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([columns, np.ones((len(columns), 1))], axis=1)
    two = int(labels.max()) == 1
    # scikit-learn keeps the difference of two columns, whose square weighs half of what both weigh here
    model = LogisticRegression(C=(2 if two else 1) / decay, fit_intercept=False, tol=_TOLERANCE, max_iter=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, labels)
    weights = np.concatenate([-model.coef_ / 2, model.coef_ / 2]) if two else model.coef_
    return Head(columns=rows, labels=labels, weights=np.asarray(weights.T, np.float64), decay=decay)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities (n, k) of scores (n, k)."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def influence(head: Head, columns: NDArray[np.float64], wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return by how much the summed loss of some answers would rise if each training row were left out.

    Args:
        head: the fitted regression.
        columns: (m, d) of the rows that were answered.
        wanted: (m,) the answers that are explained.

    Returns:
        (n,) nats; a positive row is a reason for the answers, a negative one speaks against them.

    Source: Koh & Liang 2017, "Understanding black-box predictions via influence functions", equation 2, for removal
    (a row weighted by −1).
    """
    asked = np.concatenate([columns, np.ones((len(columns), 1))], axis=1)
    pull = softmax(asked @ head.weights)
    pull[np.arange(len(wanted)), wanted] -= 1
    direction = np.linalg.solve(_hessian(head), (asked.T @ pull).T.ravel()).reshape(head.weights.shape[::-1]).T
    residual = softmax(head.columns @ head.weights)
    residual[np.arange(len(head.labels)), head.labels] -= 1
    return np.asarray(((head.columns @ direction) * residual).sum(axis=1))


def renormalised(head: Head, found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide influence (n,) by the length of each row's own gradient.

    A row that is learnt well has hardly a gradient, so planted rows would stand below hard ones however much they pull
    the same way as the answer.

    Source: Hammoudeh & Lowd 2022, "Identifying a training-set attack's target using renormalized influence
    estimation", equation 8.
    """
    residual = softmax(head.columns @ head.weights)
    residual[np.arange(len(head.labels)), head.labels] -= 1
    lengths = np.linalg.norm(residual, axis=1) * np.linalg.norm(head.columns, axis=1)
    return np.asarray(found / np.maximum(lengths, 1e-300))


def _hessian(head: Head) -> NDArray[np.float64]:
    """Return (k d, k d), class after class."""
    d, k = head.weights.shape
    found: NDArray[Any] = np.zeros((k, d, k, d))
    for start in range(0, len(head.columns), _PART):
        rows = head.columns[start : start + _PART]
        p = softmax(rows @ head.weights)
        for a in range(k):
            for b in range(a, k):
                weight = p[:, a] * ((1.0 if a == b else 0.0) - p[:, b])
                block = rows.T @ (rows * weight[:, None])
                found[a, :, b, :] += block
                if a != b:
                    found[b, :, a, :] += block
    return np.asarray(found.reshape(k * d, k * d) + head.decay * np.eye(k * d))
