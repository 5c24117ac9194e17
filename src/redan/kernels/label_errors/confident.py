"""Which labels are probably wrong: cleanlab's confident learning on probabilities of models that knew no row itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Suspects:
    """What is thought of each of n labels.

    Attributes:
        quality: (n,) in [0, 1], lower is more likely wrong: the probability of the given class.
        flagged: (n,) bool, taken for wrong.
        likely: (n,) most likely class.
    """

    quality: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    likely: NDArray[np.int64]


def confident(labels: NDArray[Any], probabilities: NDArray[np.float64]) -> Suspects:
    """Judge labels by cleanlab: self-confidence for the order, pruning by noise rate for the decision.

    Args:
        labels: (n,) class indices 0 … k-1, each of which occurs.
        probabilities: (n, k) from models that were not fitted on the row.

    Source: Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70,
    sections 3.1 and 3.2.

    Raises:
        ModuleNotFoundError: cleanlab is not installed.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    quality = get_label_quality_scores(labels, probabilities, method="self_confidence")
    flagged = find_label_issues(labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1)
    return Suspects(
        quality=np.asarray(quality, np.float64), flagged=np.asarray(flagged, bool), likely=probabilities.argmax(axis=1)
    )
