"""A genetic search for the dearest numeric input, asking for nothing but costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

KEPT = 0.25
"""Share of a generation that breeds the next."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Candidates, dearest first.

    Attributes:
        candidates: the inputs.
        costs: what they were read to cost; chosen for being high, so too high where readings are noisy.
        by_generation: highest cost so far after each generation; the first is that of the inputs as they come.
        reason: why the search was cut short, else empty.
    """

    candidates: Sequence[Any]
    costs: Sequence[float]
    by_generation: tuple[float, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breeding:
    """How long to search, and within which box.

    Attributes:
        generations: after the first.
        population: candidates a generation.
        low: smallest value allowed.
        high: largest value allowed.
    """

    generations: int
    population: int
    low: float
    high: float


def breed(
    cost: Callable[[NDArray[Any]], float],
    x: NDArray[Any],
    settings: Breeding,
    *,
    seed: int,
    stop: Callable[[], str | None] = lambda: None,
) -> Found:
    """Search from inputs as they come and from plain extremes.

    Args:
        cost: of one input of shape (…).
        x: (n, …) inputs as they come, of a numeric type that candidates keep.
        settings: how long, and the box.
        seed: root of the draws.
        stop: asked before each candidate.

    Source: Shumailov et al. 2021, "Sponge examples: energy-latency attacks on neural networks", section 4.2: genetic
    search by measured cost; crossover, mutation and extremes are our own.
    """
    generator = np.random.default_rng(seed)
    pool: list[tuple[float, int, NDArray[Any]]] = []
    best: list[float] = []
    young = [*x, *extremes(x, settings, generator)]
    for generation in range(settings.generations + 1):
        if generation:
            parents = [entry[2] for entry in pool[: max(2, int(KEPT * settings.population))]]
            young = [_child(parents, settings, generator) for _ in range(settings.population)]
        for candidate in young:
            if why := stop():
                return _sorted(pool, best, why)
            pool.append((cost(candidate), len(pool), candidate))
        # the number breaks ties, so that arrays are never compared
        pool = sorted(pool, key=lambda entry: (-entry[0], entry[1]))[: max(settings.population, len(x))]
        pool = [(value, place, candidate) for place, (value, _, candidate) in enumerate(pool)]
        best.append(pool[0][0])
    return _sorted(pool, best, "")


def extremes(x: NDArray[Any], settings: Breeding, generator: np.random.Generator) -> list[NDArray[Any]]:
    """Return inputs that nobody sends by chance: all low, all high, the middle, noise, chequered extremes."""
    shape, low, high = x.shape[1:], settings.low, settings.high
    noise = generator.uniform(low, high, size=shape)
    made = [
        np.full(shape, low),
        np.full(shape, high),
        np.full(shape, (low + high) / 2),
        noise,
        np.where(noise < (low + high) / 2, low, high),
        np.where(noise < low + 0.05 * (high - low), high, low),
    ]
    return [np.asarray(candidate).astype(x.dtype) for candidate in made]


def _child(parents: Sequence[NDArray[Any]], settings: Breeding, generator: np.random.Generator) -> NDArray[Any]:
    first, second = (parents[int(i)] for i in generator.integers(0, len(parents), size=2))
    mixed = np.where(generator.random(first.shape) < generator.random(), first, second).reshape(-1)
    span = settings.high - settings.low
    kind = int(generator.integers(0, 4))
    touched = generator.random(mixed.shape) < generator.choice([0.02, 0.1, 0.5])
    if kind == 0:
        fresh = generator.uniform(settings.low, settings.high, size=mixed.shape)
    elif kind == 1:
        fresh = np.full(mixed.shape, settings.low if generator.random() < 0.5 else settings.high)
    elif kind == 2:
        fresh = mixed + generator.normal(0, 0.1 * span, size=mixed.shape)
    else:
        # stretched as a whole: magnitude decides how often some models go round
        touched[:] = True
        fresh = settings.low + (mixed - settings.low) * generator.choice([0.5, 0.8, 1.25, 2.0])
    moved = np.clip(np.where(touched, fresh, mixed), settings.low, settings.high)
    return np.asarray(moved.reshape(first.shape)).astype(first.dtype)


def _sorted(pool: list[tuple[float, int, NDArray[Any]]], best: list[float], why: str) -> Found:
    ranked = sorted(pool, key=lambda entry: (-entry[0], entry[1]))
    return Found(
        candidates=[entry[2] for entry in ranked],
        costs=[entry[0] for entry in ranked],
        by_generation=tuple(best),
        reason=why,
    )
