"""How well a score tells members from non-members: AUC with its interval, and true positives at few false ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True)
class Auc:
    """Area under the ROC curve with its 95 % interval."""

    value: float
    low: float
    high: float


def auc(members: NDArray[Any], others: NDArray[Any]) -> Auc:
    """Return the probability that a member scores higher than a non-member, ties counting half.

    Args:
        members: (m,) scores of members, higher means "member".
        others: (k,) scores of non-members.

    Source: DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44, computed by ranks as in Sun & Xu 2014, eq. 6–9.

    Raises:
        ValueError: fewer than two scores on a side.
    """
    m, k = len(members), len(others)
    if m < 2 or k < 2:
        msg = f"an AUC needs at least two scores on each side, got {m} and {k}"
        raise ValueError(msg)
    together = _midranks(np.concatenate([members, others]))
    placed_members = (together[:m] - _midranks(members)) / k
    placed_others = 1 - (together[m:] - _midranks(others)) / m
    value = float(placed_members.mean())
    deviation = float(np.sqrt(placed_members.var(ddof=1) / m + placed_others.var(ddof=1) / k))
    return Auc(value=value, low=max(0.0, value - _Z * deviation), high=min(1.0, value + _Z * deviation))


def _midranks(values: NDArray[Any]) -> NDArray[np.float64]:
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values)[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ends = np.concatenate([starts[1:], [len(ordered)]])
    ranks = np.empty(len(ordered), np.float64)
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks


def caught(members: NDArray[Any], others: NDArray[Any], false_positive_rate: float) -> int:
    """Return how many members score above the threshold that at most that share of non-members exceeds.

    The threshold is an order statistic of the non-members, so the false positive rate is never above the one asked.
    """
    allowed = int(false_positive_rate * len(others))
    threshold = np.sort(others)[::-1][min(allowed, len(others) - 1)]
    return int((members > threshold).sum())


def loss_scores(scores: NDArray[Any], y: NDArray[Any], *, kind: str) -> NDArray[np.float64]:
    """Return minus the cross-entropy loss of each row: the higher, the more member-like.

    Args:
        scores: (n, classes) logits or probabilities.
        y: (n,) true classes.
        kind: ``logits`` or ``probabilities``.
    """
    wide = np.asarray(scores, np.float64)
    rows = np.arange(len(y))
    if kind == "probabilities":
        return np.asarray(np.log(np.clip(wide[rows, y], 1e-30, None)))
    peak = wide.max(axis=1, keepdims=True)
    return np.asarray(wide[rows, y] - peak[:, 0] - np.log(np.exp(wide - peak).sum(axis=1)))
