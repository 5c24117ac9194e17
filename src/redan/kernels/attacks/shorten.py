"""From a misclassified point back towards its sample, as far as the model still errs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from redan.kernels.attacks.scored import Places, Standing


def shorten(standing: Standing, places: Places, *, rounds: int = 2, fan: int = 7) -> None:
    """Search the segment between each sample and its misclassified point; several points of a bracket in one call.

    A score-based attack stops at the first misclassified point of its ball, often at the ball's edge. Each round
    divides the bracket by `fan` + 1 and costs `fan` queries a sample. Every point that is kept was misclassified.

    Args:
        standing: of an attack that has ended; its points are replaced.
        places: samples with a misclassified point, (m,).
        rounds: how often the bracket is divided.
        fan: points of a bracket asked in one call.
    """
    low, high = np.zeros(len(places)), np.ones(len(places))
    clean, moves = standing.inputs[places], standing.points[places] - standing.inputs[places]
    shares = np.arange(1, fan + 1) / (fan + 1)
    for _ in range(rounds):
        if len(places) == 0:
            return
        tried = low[:, None] + (high - low)[:, None] * shares
        scale = tried.reshape(*tried.shape, *([1] * (moves.ndim - 1))).astype(np.float32)
        points = clean[:, None] + scale * moves[:, None]
        answer = standing.ask(np.repeat(places, fan), points.reshape(-1, *clean.shape[1:]))
        if answer is None:
            return
        wrong = answer[1].reshape(tried.shape)
        some, first = wrong.any(axis=1), wrong.argmax(axis=1)
        rows = np.flatnonzero(some)
        standing.points[places[rows]] = points[rows, first[rows]]
        standing.margin[places[rows]] = answer[0].reshape(tried.shape)[rows, first[rows]]
        edges = np.concatenate([low[:, None], tried, high[:, None]], axis=1)
        upper = np.where(some, first + 1, fan + 1)
        low, high = edges[np.arange(len(places)), upper - 1], edges[np.arange(len(places)), upper]
