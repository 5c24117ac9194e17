"""What a model says of the true class of a record, on the scales that membership inference reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 1e-12
"""Probabilities are read as at least this and at most one minus this, so that their logits are numbers."""


def margins(scores: NDArray[Any], y: NDArray[Any], *, kind: str) -> NDArray[np.float64]:
    """Return log(p / (1 - p)) of the true class of each row.

    Of logits it is the true one minus the log-sum-exp of the others, which loses no digits where p is nearly one.

    Args:
        scores: (n, classes) logits or probabilities.
        y: (n,) true classes.
        kind: ``logits`` or ``probabilities``.

    Source: Carlini et al. 2022, "Membership inference attacks from first principles" (logit scaling).
    """
    wide = np.array(scores, np.float64)
    rows = np.arange(len(y))
    if kind == "probabilities":
        sure = np.clip(wide[rows, y], LEAST, 1 - LEAST)
        return np.asarray(np.log(sure) - np.log1p(-sure))
    own = wide[rows, y]
    wide[rows, y] = -np.inf
    peak = wide.max(axis=1, initial=-np.inf)
    others = peak + np.log(np.exp(wide - peak[:, None]).sum(axis=1))
    edge = np.log(1 / LEAST)
    return np.asarray(np.clip(own - others, -edge, edge))


def shares(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability p that belongs to log(p / (1 - p))."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -margin)))
