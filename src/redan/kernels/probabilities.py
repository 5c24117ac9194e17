"""Scores as probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def probabilities_of(scores: NDArray[Any], kind: str) -> NDArray[np.float64]:
    """Return (n, k) probabilities of scores that are ``logits`` or ``probabilities`` already."""
    wide = np.asarray(scores, np.float64)
    if kind == "probabilities":
        return wide
    raised = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
