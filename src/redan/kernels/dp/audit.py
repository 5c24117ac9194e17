"""A lower bound on ε from one training, by guessing which canaries took part in it.

Each canary takes part or not by the toss of a fair coin. Whoever can tell afterwards, better than ε and δ allow, has
refuted them. How many canaries are guessed is fixed by their number alone: whoever tries several numbers and reports
the best finds leaks in a coin: a published tool in 114 of 300 harmless runs, where this accused 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_CANARIES = 10
MOST_EPSILON = 50.0
_BISECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """What an auditor guessed.

    Attributes:
        canaries: how many there are.
        made: guesses made; the other canaries were left open.
        right: guesses that were right.
    """

    canaries: int
    made: int
    right: int


def guesses_of_each_kind(canaries: int) -> int:
    """Return how many canaries are guessed to be in, and as many to be out: a tenth, by their number alone."""
    return max(1, canaries // 10)


def guess(scores: NDArray[Any], included: NDArray[np.bool_]) -> Guesses:
    """Guess that the canaries of highest scores were included and those of lowest were not.

    Args:
        scores: (m,) higher means "included"; equal scores are ranked by place, which says nothing about inclusion.
        included: (m,) how the coins fell.

    Raises:
        ValueError: fewer than ten canaries, a score that is no number, or lengths that differ.
    """
    m = len(scores)
    if m < LEAST_CANARIES or len(included) != m or np.isnan(np.asarray(scores, np.float64)).any():
        msg = f"an audit needs a score for each of at least {LEAST_CANARIES} canaries, got {m} and {len(included)}"
        raise ValueError(msg)
    order, k = np.argsort(scores, kind="stable"), guesses_of_each_kind(m)
    coins = np.asarray(included, np.bool_)[order]
    return Guesses(canaries=m, made=2 * k, right=int(coins[-k:].sum() + (~coins[:k]).sum()))


def p_value(found: Guesses, epsilon: float, delta: float) -> float:
    """Return an upper bound on the probability of so many right guesses under (ε, δ).

    Source: Steinke, Nasr & Jagielski 2023, "Privacy auditing with one (1) training run", theorem 5.2, all terms of
    the maximum at once.
    """
    masses = _binomial(found.made, 1 / (1 + math.exp(-epsilon)))
    tail = float(masses[found.right :].sum())
    if not delta or not found.right:
        return min(1.0, tail)
    below = np.cumsum(masses[: found.right][::-1])
    worst = float((below / np.arange(1, found.right + 1)).max())
    return min(1.0, tail + 2 * found.canaries * delta * worst)


def epsilon_shown(found: Guesses, delta: float, confidence: float = 0.95) -> float:
    """Return the largest ε that the guesses refute at this confidence; 0 when they refute none.

    Args:
        found: the guesses.
        delta: the δ that is claimed; 0 for pure differential privacy.
        confidence: probability of not refuting an ε that holds, at least.
    """
    level = 1 - confidence
    if p_value(found, 0.0, delta) > level:
        return 0.0
    low, high = 0.0, MOST_EPSILON
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if p_value(found, middle, delta) <= level else (low, middle)
    return low


def _binomial(n: int, rate: float) -> NDArray[np.float64]:
    """Return the probability of 0 … n successes."""
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    ways = logarithms[n] - logarithms[k] - logarithms[n - k]
    with np.errstate(divide="ignore"):
        failing = np.where(k < n, (n - k) * np.log1p(-rate) if rate < 1 else -np.inf, 0.0)
    return np.asarray(np.exp(ways + k * math.log(rate) + failing), np.float64)
