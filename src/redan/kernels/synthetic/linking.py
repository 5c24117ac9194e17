"""Linking two halves of a person's record through synthetic rows, and filling in what is missing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.synthetic.rows import BLOCK, apart, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.kernels.synthetic.rows import Mixed

TOLERANCE = 0.05
"""Relative error up to which a number counts as guessed."""


def linked(
    data: Mixed, targets: NDArray[Any], synthetic: NDArray[Any], known: tuple[list[int], list[int]], k: int
) -> NDArray[np.bool_]:
    """Tell for each target whether its two halves lead to the same synthetic row, (n,).

    Args:
        data: the columns.
        targets: (n, d) rows.
        synthetic: (m, d) rows, shuffled.
        known: places of the columns of each half.
        k: nearest rows that are looked at for each half.

    Source: Giomi et al. 2023, section 3.2.
    """
    one, other = (nearest(data, targets, synthetic, columns, k) for columns in known)
    return np.asarray((one[:, :, None] == other[:, None, :]).any(axis=(1, 2)))


def linked_blindly(n: int, m: int, k: int, draws: np.random.Generator) -> NDArray[np.bool_]:
    """The same with k rows of m drawn at random for each half."""
    if k == 1:
        return np.asarray(draws.integers(0, m, n) == draws.integers(0, m, n))
    pairs = ((draws.choice(m, k, replace=False), draws.choice(m, k, replace=False)) for _ in range(n))
    return np.array([bool(np.intersect1d(a, b).size) for a, b in pairs])


def inferred(data: Mixed, targets: NDArray[Any], synthetic: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell for each target and column whether the nearest synthetic row by all other columns has its value, (n, d).

    Categories must be equal, numbers within 5 %.

    Source: Giomi et al. 2023, section 3.3.
    """
    size = max(1, BLOCK // max(1, len(synthetic)))
    found = np.zeros((len(targets), len(data.names)), bool)
    for start in range(0, len(targets), size):
        block = targets[start : start + size]
        places = range(len(data.names))
        total = np.zeros((len(block), len(synthetic)), np.float32)
        for place in places:
            total += apart(data, block, synthetic, place)
        for place in places:
            others = total - apart(data, block, synthetic, place)
            guess = synthetic[others.argmin(axis=1), place]
            found[start : start + size, place] = agrees(data, guess, block[:, place], place)
    return found


def agrees(data: Mixed, guess: NDArray[Any], truth: NDArray[Any], place: int) -> NDArray[np.bool_]:
    """Tell which guesses of one column are right."""
    if not data.numeric[place]:
        return np.asarray(guess == truth)
    near = np.abs(guess - truth) <= TOLERANCE * np.abs(truth)
    return np.asarray(near | (np.isnan(guess) & np.isnan(truth)))
