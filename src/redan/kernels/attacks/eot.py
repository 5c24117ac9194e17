"""Expectation over transformation: attacks on models that draw random numbers while they answer.

A step follows the mean of several gradients, a success is what most of several answers say. The model draws from the
global generators of torch, numpy and Python; they are seeded here and put back afterwards. Source: Athalye, Engstrom,
Ilyas, Kwok, "Synthesizing robust adversarial examples", ICML 2018, section 2; for defences: Athalye, Carlini, Wagner,
"Obfuscated gradients give a false sense of security", ICML 2018, section 4.2.
"""

from __future__ import annotations

import math
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from redan.kernels.attacks.loss import margin_towards
from redan.kernels.attacks.projection import project, steepest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.oracle import Model, Oracle

FEWEST, MOST = 8, 32
"""Bounds of the number of draws of one gradient."""
_CARRIED = 0.25
"""Share of the last move that is carried on."""


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed the generators a model may draw from, and put back their states afterwards, also after an error."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  models draw from it
    with torch.random.fork_rng():
        try:
            torch.manual_seed(seed % 2**63)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002  models draw from it
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002  models draw from it


def expectation(model: Model, draws: int) -> Model:
    """Wrap a model: with gradients the mean of several answers, without them the vote of several answers."""

    def averaged(points: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return majority(model, points, draws)
        total = model(points)
        for _ in range(draws - 1):
            total = total + model(points)
        return total / draws

    return averaged


def majority(model: Model, points: Tensor, draws: int) -> Tensor:
    """Mean answer (n, k) of several, lifted where needed so that its largest entry is the class most answers chose.

    Between classes with equally many votes the mean decides.
    """
    answers = torch.stack([model(points) for _ in range(draws)])
    mean = answers.mean(dim=0)
    if mean.ndim == 1 or mean.shape[1] == 1:
        votes = (answers > 0).to(mean).mean(dim=0)
        agree = (votes > 0.5) == (mean > 0)
        return torch.where(agree | (votes == 0.5), mean, -mean)
    votes = functional.one_hot(answers.argmax(dim=2), answers.shape[2]).sum(dim=0)
    leading = votes == votes.amax(dim=1, keepdim=True)
    winner = mean.masked_fill(~leading, -torch.inf).argmax(dim=1, keepdim=True)
    top = mean.amax(dim=1, keepdim=True)
    won = mean.gather(1, winner)
    lifted = torch.where(won < top, top + 1e-3 * (top - mean.amin(dim=1, keepdim=True)), won)
    return mean.scatter(1, winner, lifted)


def draws_needed(gradient: Callable[[], Tensor], *, probes: int = 6) -> int:
    """How many gradients to average so that noise and signal are as large as each other in the median sample.

    Args:
        gradient: one random draw of the gradients, shape (n, ...).
        probes: draws to estimate from.
    """
    samples = torch.stack([gradient().flatten(1).double() for _ in range(probes)])
    noise = samples.var(dim=0).sum(dim=1)
    signal = (samples.mean(dim=0).square().sum(dim=1) - noise / probes).clamp_min(1e-12 * noise.clamp_min(1e-300))
    ratio = float((noise / signal).median())
    return FEWEST if not math.isfinite(ratio) else max(FEWEST, min(MOST, math.ceil(ratio)))


def persist(oracle: Oracle, inputs: Tensor, labels: Tensor, ball: Ball, *, steps: int = 40) -> Tensor:
    """Descend the mean margin to the end, also beyond the first error, which may have been a lucky draw.

    Args:
        oracle: of a model wrapped by `expectation`.
        inputs: shape (n, ...); the descent begins there.
        labels: true classes, shape (n,).
        ball: where the points must stay.
        steps: of length eps at first, falling to a twentieth of it.

    Returns:
        The last points, shape (n, ...).
    """
    points = before = inputs
    for step in range(steps):
        _, gradients, _ = oracle.gradient(points, margin_towards(labels, None))
        length = ball.eps * (1 - 0.95 * step / steps)
        moved = points - length * steepest(gradients, points, ball) + _CARRIED * (points - before)
        before, points = points, project(moved, inputs, ball)
    return points
