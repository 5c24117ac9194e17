"""Trigger inversion: the smallest mask and pattern that turn any row into a class, for all classes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from redan.kernels.draws import integers, normal, sample_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

INDEX_BAR = 5.0
"""Index from which a trigger is called planted; the four clean models of seeds 0 to 3 reached 3.4 at most."""
LEAST_SPREAD = 0.35
"""Smallest spread of the log sizes between clean classes that is believed; a few classes may agree by chance."""
_START, _ROWS, _PATTERN = 0, 1, 2
_MOST_VALUES = 1 << 22
"""Values of inputs held for one forward pass; more classes are inverted in turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InversionSettings:
    """How long and how hard to look.

    Attributes:
        steps: gradient steps.
        batch: rows in each step, the same for every class.
        success: share of rows that the trigger must turn before its size counts.
        rate: learning rate of Adam at the start; it falls to a tenth along a cosine.
    """

    steps: int = 300
    batch: int = 20
    success: float = 0.95
    rate: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Triggers:
    """One trigger for each class.

    Attributes:
        classes: (k,) classes.
        masks: (k, …) in [0, 1], one value for all channels of a place.
        patterns: (k, …) on the inputs' own scale.
        sizes: (k,) sum of each mask, in places.
        reached: (k,) whether the wanted success was ever reached.
        reason: why it was cut short, else empty.
    """

    classes: NDArray[np.int64]
    masks: NDArray[np.float32]
    patterns: NDArray[np.float32]
    sizes: NDArray[np.float64]
    reached: NDArray[np.bool_]
    reason: str = ""


def stamped(x: NDArray[Any], mask: NDArray[Any], pattern: NDArray[Any]) -> NDArray[np.float32]:
    """Lay one trigger over rows (n, …)."""
    return np.asarray((1 - mask) * x + mask * pattern, np.float32)


def invert(
    model: Callable[[Tensor], Tensor],
    x: NDArray[Any],
    classes: NDArray[Any],
    *,
    low: float,
    high: float,
    seed: int,
    settings: InversionSettings,
    stop: Callable[[], str],
) -> Triggers:
    """Look for the smallest trigger of each class.

    Args:
        model: rows (m, …) to logits, differentiable.
        x: (n, …) clean rows of any class.
        classes: (k,) classes to invert.
        low: lowest legal value.
        high: highest legal value.
        seed: draws the starts and the rows of each step.
        settings: effort.
        stop: says why to stop, or nothing.

    Source: Wang, Yao, Shan, Li, Viswanath, Zheng & Zhao 2019 (Neural Cleanse), section IV; all classes in one batch.
    """
    at_once = max(1, _MOST_VALUES // (settings.batch * max(1, x[0].size)))
    parts = []
    for start in range(0, len(classes), at_once):
        some = np.asarray(classes[start : start + at_once], np.int64)
        parts.append(_inverted(model, x, some, low, high, seed, settings, stop))
        if parts[-1].reason:
            break
    return Triggers(
        classes=np.concatenate([p.classes for p in parts]),
        masks=np.concatenate([p.masks for p in parts]),
        patterns=np.concatenate([p.patterns for p in parts]),
        sizes=np.concatenate([p.sizes for p in parts]),
        reached=np.concatenate([p.reached for p in parts]),
        reason=parts[-1].reason,
    )


class _Search:
    """The state of one batched search: k masks, k patterns and the best of each so far."""

    def __init__(
        self, shape: tuple[int, ...], classes: NDArray[np.int64], seed: int, settings: InversionSettings
    ) -> None:
        keys = sample_keys(seed, "backdoors.inversion", classes)
        flat = (1, *shape[1:]) if len(shape) > 1 else shape
        self.mask = torch.from_numpy(0.1 * normal(keys, flat, stream=_START) - 2).requires_grad_()
        self.pattern = torch.from_numpy(0.1 * normal(keys, shape, stream=_PATTERN)).requires_grad_()
        self.optimiser = torch.optim.Adam([self.mask, self.pattern], settings.rate, betas=(0.5, 0.9))
        self.cost = torch.full((len(classes),), 1e-3)
        self.turned = torch.zeros(len(classes))
        self.best = torch.full((len(classes),), float("inf"))
        self.kept = (torch.sigmoid(self.mask).detach().clone(), torch.sigmoid(self.pattern).detach().clone())

    def step(self, loss: Tensor, size: Tensor, turned: Tensor, seen: int, wanted: float) -> None:
        """Move, remember the smallest masks that turn enough rows, and press where they turn enough."""
        before = (torch.sigmoid(self.mask).detach(), torch.sigmoid(self.pattern).detach())
        self.optimiser.zero_grad()
        (loss + self.cost * size).sum().backward()
        self.optimiser.step()
        self.turned = 0.9 * self.turned + 0.1 * turned
        enough = self.turned / (1 - 0.9**seen) >= wanted
        better = enough & (size.detach() < self.best)
        self.best = torch.where(better, size.detach(), self.best)
        for kept, now in zip(self.kept, before, strict=True):
            kept[better] = now[better]
        self.cost = torch.where(enough, self.cost * 1.06, self.cost / 1.09).clamp(1e-5, 1)


def _inverted(
    model: Callable[[Tensor], Tensor],
    x: NDArray[Any],
    classes: NDArray[np.int64],
    low: float,
    high: float,
    seed: int,
    settings: InversionSettings,
    stop: Callable[[], str],
) -> Triggers:
    shape, k, b = x.shape[1:], len(classes), settings.batch
    search = _Search(shape, classes, seed, settings)
    wanted = torch.from_numpy(np.repeat(classes, b))
    picks = integers(sample_keys(seed, "backdoors.rows", np.arange(settings.steps)), (b,), len(x), stream=_ROWS)
    reason = ""
    for number in range(settings.steps):
        if reason := stop():
            break
        for group in search.optimiser.param_groups:
            group["lr"] = settings.rate * (0.55 + 0.45 * float(np.cos(np.pi * number / settings.steps)))
        rows = torch.from_numpy(np.asarray(x[picks[number]], np.float32))
        mask, pattern = torch.sigmoid(search.mask), low + (high - low) * torch.sigmoid(search.pattern)
        points = (1 - mask)[:, None] * rows[None] + (mask * pattern)[:, None]
        logits = model(points.reshape(k * b, *shape))
        loss = functional.cross_entropy(logits, wanted, reduction="none").view(k, b).mean(1)
        turned = (logits.argmax(1) == wanted).float().view(k, b).mean(1)
        search.step(loss, mask.flatten(1).sum(1), turned.detach(), number + 1, settings.success)
    return _result(search, classes, low, high, reason)


def _result(search: _Search, classes: NDArray[np.int64], low: float, high: float, reason: str) -> Triggers:
    reached = torch.isfinite(search.best)
    last = (torch.sigmoid(search.mask).detach(), torch.sigmoid(search.pattern).detach())
    for kept, now in zip(search.kept, last, strict=True):
        kept[~reached] = now[~reached]
    mask, pattern = search.kept
    return Triggers(
        classes=classes,
        masks=mask.numpy(),
        patterns=(low + (high - low) * pattern).numpy(),
        sizes=mask.flatten(1).sum(1).double().numpy(),
        reached=reached.numpy(),
        reason=reason,
    )


def oddness(sizes: NDArray[Any], reached: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far each log size lies below the median of the others, in their robust spread.

    A class whose trigger was never found has no size: it counts as unremarkable, and among the others as it is.

    Args:
        sizes: (k,) positive, k >= 2.
        reached: (k,) whether a trigger was found.
    """
    logs = np.log(np.maximum(sizes, 1e-6))
    values = np.zeros(len(logs))
    for place in np.flatnonzero(reached):
        others = np.delete(logs, place)
        centre = np.median(others)
        spread = 1.4826 * np.median(np.abs(others - centre))
        values[place] = (centre - logs[place]) / max(spread, LEAST_SPREAD)
    return values
