"""Adversarial querying: learn to learn, so that what is learnt from a few clean rows withstands attacks.

Source: Goldblum, Fowl and Goldstein, "Adversarially robust few-shot learning: a meta-learning approach", NeurIPS 2020,
algorithm 2: only the queries of an episode are attacked, with the weights that its support led to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from redan.core.errors import SubjectFailed
from redan.kernels.training.adaptation import Adaptation, adapt, slopes_of
from redan.kernels.training.adversary import Adversary, Strength
from redan.kernels.training.course import Batch, Trained, learning
from redan.kernels.training.episodes import Episode, Sampler, Task
from redan.kernels.training.randomness import generator

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.watch import Watch
    from redan.kernels.training.course import Course

EPISODES = 20
"""Episodes in a round, which stands for an epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Querying:
    """What an episode is and how it is attacked."""

    task: Task
    """Size of an episode."""
    adaptation: Adaptation
    """How the network learns from the support."""
    ball: Ball | None
    """Where attacked queries may lie; None attacks nothing."""
    strength: Strength
    """How hard the attack tries."""


def query(
    net: nn.Module, inputs: Tensor, labels: Tensor, plan: Querying, course: Course, *, seed: int, watch: Watch
) -> Trained:
    """Train the shared weights in place, rounds of episodes; afterwards the network is in evaluation mode.

    Args:
        net: the network; its first outputs stand for the classes of an episode.
        inputs: shape (n, ...).
        labels: classes, int64, shape (n,).
        plan: what an episode is.
        course: rounds, episodes a step, pace.
        seed: draws of episodes and attacks.
        watch: asked before each step, told about rounds.

    Raises:
        SubjectFailed: the loss became NaN or infinite.
        UsageError: too few classes have enough rows, or no weight may change.
    """
    sampler = Sampler(inputs, labels, plan.task, generator(seed, "episodes"))
    attacks = generator(seed, "attacks")
    optimiser = torch.optim.AdamW(learning(net), lr=course.learning_rate, weight_decay=course.weight_decay)
    steps = math.ceil(EPISODES / course.batch_size)
    rounds = 0
    net.train()
    while rounds < course.epochs and not watch.stopped():
        for step in range(steps):
            if watch.stopped():
                break
            optimiser.zero_grad()
            share = (rounds + (step + 0.5) / steps) / course.epochs
            for _ in range(course.batch_size):
                _episode(net, sampler.draw(), plan, share, attacks)
            for group in optimiser.param_groups:
                group["lr"] = course.pace(share)
            optimiser.step()
        else:
            rounds += 1
            watch.progress("rounds", rounds, course.epochs)
    net.zero_grad(set_to_none=True)
    net.eval()
    return Trained(epochs=rounds, reason=watch.reason)


def _episode(net: nn.Module, episode: Episode, plan: Querying, share: float, attacks: torch.Generator) -> None:
    """Adapt, attack the queries, and add what they say to the gradients of the shared weights."""
    adapted = adapt(net, episode, plan.adaptation)
    points = episode.query
    if plan.ball is not None:
        batch = Batch(rows=episode.rows, inputs=episode.query, labels=episode.query_labels, share=share)
        points = Adversary(adapted.settled(), plan.ball, plan.strength, attacks).worst(batch)
    loss = functional.cross_entropy(adapted(points), episode.query_labels)
    if not bool(torch.isfinite(loss.detach())):
        raise SubjectFailed("the loss of an episode became NaN or infinite", hint="give a smaller inner_rate")
    shared = dict(net.named_parameters())
    for name, slope in slopes_of(loss, net, adapted, plan.adaptation).items():
        held = shared[name].grad
        shared[name].grad = slope if held is None else held + slope
