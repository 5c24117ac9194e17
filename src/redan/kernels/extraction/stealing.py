"""Which inputs a thief asks about, and the copies he gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from redan.core.errors import Contained
from redan.kernels.draws import uniform
from redan.kernels.extraction.clone import Pace, probabilities, taught

if TYPE_CHECKING:
    from torch import nn

    from redan.kernels.attacks.watch import Watch

Ask: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
"""(m, …) inputs to (m, k) answers: probabilities, or one 1 a row."""
Sampling = Literal["random", "active"]
AMONG = 5
"""Active sampling chooses the most uncertain of so many times as many inputs, so that one corner is not asked dry."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stolen:
    """A theft at one number of queries.

    Attributes:
        queries: inputs asked about so far.
        net: the copy trained on their answers.
    """

    queries: int
    net: nn.Module


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Theft:
    """A whole theft.

    Attributes:
        x: (q, …) inputs in the order in which they were asked.
        told: (q, k) answers.
        copies: one for each number of queries that was reached.
        cut: why the victim answered no more; empty where it did to the end.
    """

    x: NDArray[Any]
    told: NDArray[Any]
    copies: tuple[Stolen, ...]
    cut: str = ""


def knockoff(
    ask: Ask,
    pool: NDArray[Any],
    sizes: Sequence[int],
    *,
    keys: NDArray[Any],
    sampling: Sampling,
    pace: Pace,
    seed: int,
    watch: Watch,
) -> Theft:
    """Ask about inputs of a pool and train a copy at each size.

    Random: in an order drawn for the pool. Active: the first size at random, then those that the last copy is least
    sure of, among some drawn at random.

    Source: Orekondy, Schiele & Fritz 2019, "Knockoff nets", sections 4.1 and 4.2 (random); Pal et al. 2020,
    "ActiveThief", section 4 (uncertainty) in place of their reinforcement learning.

    Args:
        ask: the victim.
        pool: (m, …) inputs that the thief has.
        sizes: numbers of queries, rising, the last at most m.
        keys: (m,) key of each input's place in the random order.
        sampling: how inputs are chosen.
        pace: of each copy's training.
        seed: root seed of the copies.
        watch: asked between copies.
    """
    has = torch.as_tensor(pool, dtype=torch.float32)
    order = np.argsort(uniform(keys, (1,), stream=0)[:, 0], kind="stable")
    chosen, told = np.zeros(0, np.int64), None
    copies: list[Stolen] = []
    cut = ""
    for size in sizes:
        if watch.stopped():
            break
        rest = order[~np.isin(order, chosen)]
        more = rest[: size - len(chosen)]
        if sampling == "active" and copies:
            among = rest[: AMONG * (size - len(chosen))]
            more = among[np.argsort(_margin(copies[-1].net, has[among]), kind="stable")][: size - len(chosen)]
        try:
            answers = ask(pool[more])
        except Contained as err:
            cut = err.message
            break
        chosen = np.concatenate([chosen, more])
        told = answers if told is None else np.concatenate([told, answers])
        net = taught(pool[chosen], told, pool=has, pace=pace, seed=seed, key=f"{sampling}{size}", watch=watch)
        copies.append(Stolen(queries=size, net=net))
    return Theft(x=pool[chosen], told=np.zeros((0, 0)) if told is None else told, copies=tuple(copies), cut=cut)


def augmented(
    ask: Ask,
    seeds: NDArray[Any],
    queries: int,
    *,
    step: float,
    bounds: tuple[float, float],
    pace: Pace,
    seed: int,
    watch: Watch,
) -> Theft:
    """Grow a few inputs along the gradients of the copy, doubling them each round.

    Source: Papernot et al. 2017, "Practical black-box attacks against machine learning", algorithm 1 (Jacobian-based
    data set augmentation).

    Args:
        ask: the victim.
        seeds: (s, …) inputs that the thief starts from.
        queries: most queries.
        step: how far an input moves, on the inputs' own scale.
        bounds: lowest and highest legal value.
        pace: of each copy's training.
        seed: root seed of the copies.
        watch: asked between rounds.
    """
    x = seeds[:queries]
    told = ask(x)
    copies: list[Stolen] = []
    cut = ""
    while not watch.stopped():
        has = torch.as_tensor(x, dtype=torch.float32)
        net = taught(x, told, pool=has, pace=pace, seed=seed, key=f"augmented{len(x)}", watch=watch)
        copies.append(Stolen(queries=len(x), net=net))
        if len(x) >= queries:
            break
        room = min(len(x), queries - len(x))
        # the newest: where the copy has not been corrected yet
        from_rows = np.arange(len(x) - room, len(x))
        moved = has[from_rows] + step * _signs(net, has[from_rows], torch.as_tensor(told[from_rows].argmax(axis=1)))
        fresh = moved.clamp(*bounds).numpy().astype(x.dtype)
        try:
            told = np.concatenate([told, ask(fresh)])
        except Contained as err:
            cut = err.message
            break
        x = np.concatenate([x, fresh])
    return Theft(x=x, told=told, copies=tuple(copies), cut=cut)


def _margin(net: nn.Module, x: torch.Tensor) -> NDArray[np.float64]:
    """Return how far the likeliest class lies above the second, (n,)."""
    top = probabilities(net, x).topk(2, dim=1).values
    return np.asarray((top[:, 0] - top[:, 1]).numpy(), np.float64)


def _signs(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the signs of the gradient of the answered class's probability."""
    points = x.clone().requires_grad_()
    chosen = torch.softmax(net(points), dim=1).gather(1, labels[:, None]).sum()
    return torch.autograd.grad(chosen, points)[0].sign()
