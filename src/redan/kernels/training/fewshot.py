"""How well a start learns classes that it never saw: clean and under attack, over many episodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.plans import plan_for
from redan.kernels.draws import sample_keys
from redan.kernels.training.adaptation import Adaptation, adapt
from redan.kernels.training.episodes import Sampler, Task
from redan.kernels.training.randomness import generator

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.kernels.attacks.ball import Ball


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShot:
    """Answers to the queries of all episodes."""

    queries: int
    """How many were asked."""
    right: int
    """Answered rightly after learning from the shots."""
    robust: int
    """Those that also withstand the quick cascade."""


def measure(
    net: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    task: Task,
    how: Adaptation,
    ball: Ball,
    *,
    episodes: int,
    seed: int,
) -> FewShot:
    """Adapt to each of some episodes and attack its queries; the network is left as it was.

    Args:
        net: the start; used in training mode, so that batch normalisation goes by the episode.
        inputs: rows of classes that were held back, shape (n, ...).
        labels: their classes, int64, shape (n,).
        task: size of an episode.
        how: steps on the shots.
        ball: norm, radius and box of the attack.
        episodes: how many.
        seed: draws of episodes and attacks.

    Raises:
        UsageError: too few classes have enough rows.
    """
    sampler = Sampler(inputs, labels, task, generator(seed, "measured episodes"))
    modes = [(part, part.training) for part in net.modules()]
    right = robust = queries = 0
    net.train()
    try:
        for number in range(episodes):
            episode = sampler.draw()
            adapted = adapt(net, episode, how).settled()
            keys = sample_keys(seed, f"few shots {number}", episode.rows.numpy())
            found = evade(
                adapted, episode.query, episode.query_labels, ball=ball, keys=keys, plan=plan_for("quick", ball.norm)
            )
            queries += len(episode.query)
            robust += int((~found.success).sum())
            with torch.no_grad():
                right += int((adapted(episode.query).argmax(1) == episode.query_labels).sum())
    finally:
        for part, mode in modes:
            part.training = mode
    return FewShot(queries=queries, right=right, robust=robust)
