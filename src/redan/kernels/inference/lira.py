"""LiRA: is what the model says of a record more like models that learned from it, or like those that did not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_DEVIATION = 1e-6


def online(
    target: NDArray[np.float64], margins: NDArray[np.float64], inside: NDArray[np.bool_], *, fixed_variance: bool
) -> NDArray[np.float64]:
    """Return the log-likelihood ratio of a normal of the models inside to a normal of those outside.

    Args:
        target: (n,) log(p / (1 - p)) of the model under attack.
        margins: (models, n) the same of reference models.
        inside: (models, n) bool, whether a model learned from the record; at least one of each kind a record, two where
            each record has a variance of its own.
        fixed_variance: one variance for all records inside and one for all outside, which few models can estimate.

    Source: Carlini et al. 2022, algorithm 1, and its variant of one variance for all records.
    """
    learned = _normal(margins, inside, fixed_variance=fixed_variance)
    other = _normal(margins, ~inside, fixed_variance=fixed_variance)
    return np.asarray(_log_density(target, *learned) - _log_density(target, *other))


def offline(
    target: NDArray[np.float64], margins: NDArray[np.float64], inside: NDArray[np.bool_], *, fixed_variance: bool
) -> NDArray[np.float64]:
    """Return how many deviations the model lies above the models that did not learn from the record.

    Takes what `online` takes; only models outside of a record are read.

    Source: Carlini et al. 2022, the offline attack.
    """
    mean, deviation = _normal(margins, ~inside, fixed_variance=fixed_variance)
    return np.asarray((target - mean) / deviation)


def _normal(
    margins: NDArray[np.float64], chosen: NDArray[np.bool_], *, fixed_variance: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of the chosen models, a record; the variance over all records where it is fixed."""
    count = chosen.sum(axis=0)
    mean = np.where(chosen, margins, 0).sum(axis=0) / count
    squares = np.where(chosen, (margins - mean) ** 2, 0).sum(axis=0)
    if fixed_variance:
        spare = max(int((count - 1).sum()), 1)
        deviation = np.full(len(count), np.sqrt(squares.sum() / spare))
    else:
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    return mean, np.maximum(deviation, LEAST_DEVIATION)


def _log_density(
    x: NDArray[np.float64], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(-(((x - mean) / deviation) ** 2) / 2 - np.log(deviation))
