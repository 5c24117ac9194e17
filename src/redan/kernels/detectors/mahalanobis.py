"""Class-conditional Mahalanobis distance with one covariance for all classes.

Source: Lee, Lee, Lee, Shin, "A simple unified framework for detecting out-of-distribution samples and adversarial
attacks", NeurIPS 2018, section 2.1, equations 1 and 2, on one layer and without their input preprocessing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch

CHUNK_ROWS = 256
RIDGE = 1e-3
"""Share of the mean variance added to each, so that directions without variance do not decide alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mahalanobis:
    """Means and a shared covariance of features.

    Attributes:
        whitening: (d, d) float64, features times it have the shared covariance 1.
        centres: (k, d) float64, whitened means of the classes.
    """

    whitening: NDArray[np.float64]
    centres: NDArray[np.float64]

    def scores(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared distance of each row (n, d) to the nearest class, (n,); infinity for no number.

        Raises:
            ShapeMismatch: the rows have another width than those it was fitted on.
        """
        if features.ndim != 2 or features.shape[1] != len(self.whitening):
            raise ShapeMismatch(f"features of shape (n, {len(self.whitening)}) are expected, got {features.shape}")
        found = np.empty(len(features))
        for first in range(0, len(features), CHUNK_ROWS):
            white = features[first : first + CHUNK_ROWS] @ self.whitening
            apart = ((white[:, None, :] - self.centres) ** 2).sum(axis=2)
            found[first : first + CHUNK_ROWS] = apart.min(axis=1)
        return np.where(np.isfinite(found), found, np.inf)


def fit(features: NDArray[np.floating], labels: NDArray[np.integer]) -> Mahalanobis:
    """Fit means and the shared covariance.

    Args:
        features: of training rows, shape (n, d).
        labels: their classes, shape (n,); each class has its own mean.

    Raises:
        ShapeMismatch: rows and labels do not fit together, or there are no more rows than classes.
    """
    rows = np.asarray(features, dtype=np.float64)
    classes, places = np.unique(labels, return_inverse=True)
    if rows.ndim != 2 or len(rows) != len(labels) or len(rows) <= len(classes):
        raise ShapeMismatch(f"features {rows.shape} and {len(labels)} labels of {len(classes)} classes do not fit")
    means = np.stack([rows[places == k].mean(axis=0) for k in range(len(classes))])
    spread = rows - means[places]
    variances, directions = np.linalg.eigh(spread.T @ spread / len(rows))
    variances = np.maximum(variances, 0.0)
    ridge = RIDGE * float(variances.mean()) or 1.0
    whitening = directions / np.sqrt(variances + ridge)
    return Mahalanobis(whitening=whitening, centres=means @ whitening)
