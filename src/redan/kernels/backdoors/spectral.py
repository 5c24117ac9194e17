"""Spectral signatures: planted rows of a class stand out along the first direction of its centred features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS = 20
"""Rows a class needs to be scored."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Outlier scores of all rows.

    Attributes:
        score: (n,) squared projection on the first direction of the row's class; 0 for rows of classes too small.
        classes: (k,) classes that were scored.
        strength: (k,) variance along the first direction over that along the second.
    """

    score: NDArray[np.float64]
    classes: NDArray[np.int64]
    strength: NDArray[np.float64]


def spectrum(features: NDArray[Any], y: NDArray[Any]) -> Spectrum:
    """Score each row by its class's first principal direction, the class's mean taken off first.

    Args:
        features: (n, d) activations, d >= 2.
        y: (n,) classes as the training data give them.

    Source: Tran, Li & Madry 2018, "Spectral signatures in backdoor attacks", algorithm 1, lines 4 to 8.
    """
    score = np.zeros(len(y))
    classes, counts = np.unique(y, return_counts=True)
    classes = classes[counts >= LEAST_ROWS].astype(np.int64)
    strength = np.zeros(len(classes))
    for place, label in enumerate(classes.tolist()):
        own = np.flatnonzero(y == label)
        rest = np.asarray(features[own], np.float64)
        rest = rest - rest.mean(axis=0)
        values, vectors = np.linalg.eigh(rest.T @ rest)
        score[own] = (rest @ vectors[:, -1]) ** 2
        strength[place] = values[-1] / max(float(values[-2]), 1e-12)
    return Spectrum(score=score, classes=classes, strength=strength)


def removed(found: Spectrum, y: NDArray[Any], poisoned_rate: float) -> NDArray[np.bool_]:
    """Mark in each class the rows of highest score: 1.5 times as many as are thought planted among all rows.

    Args:
        found: the scores.
        y: (n,) classes.
        poisoned_rate: upper bound of the planted share of all rows.

    Source: Tran, Li & Madry 2018, algorithm 1, line 9. The paper knows the target class and the count; here every
    class loses as many rows, at most half of them.
    """
    mask = np.zeros(len(y), bool)
    most = max(1, round(1.5 * poisoned_rate * len(y)))
    for label in found.classes.tolist():
        own = np.flatnonzero(y == label)
        order = own[np.argsort(-found.score[own], kind="stable")]
        mask[order[: min(most, len(own) // 2)]] = True
    return mask
