"""Weights of rows under which classes and groups are independent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def reweighed(groups: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return a weight for each row: how often its group and class would meet were they independent, over how often.

    Args:
        groups: (n,) codes from 0.
        classes: (n,) class indices from 0.

    Returns:
        (n,) positive weights with mean 1 when every group holds every class.

    Source: Kamiran & Calders, "Data preprocessing techniques for classification without discrimination", Knowledge and
    Information Systems 33, 2012, algorithm 3.
    """
    n, k = len(groups), int(classes.max()) + 1
    both = np.bincount(groups * np.int64(k) + classes, minlength=(int(groups.max()) + 1) * k).reshape(-1, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = both.sum(axis=1, keepdims=True) * both.sum(axis=0, keepdims=True) / (n * both)
    return np.asarray(weights[groups, classes])
