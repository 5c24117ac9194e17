"""Train one patch that makes a network err wherever it is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.oracle import Oracle
from redan.kernels.draws import integers, sample_keys, uniform
from redan.kernels.patches.placing import drawn, stick

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.kernels.attacks.oracle import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchSettings:
    """How a patch is trained.

    Attributes:
        steps: gradient steps of each start.
        batch: images a step.
        starts: random patches to begin with; the one that leaves the fewest training images right is kept.
        target: class that every image is to be taken for, or None for any wrong one.
        rate: first step, as a share of the box; falls linearly to a tenth of it.
    """

    steps: int = 120
    batch: int = 64
    starts: int = 2
    target: int | None = None
    rate: float = 0.06


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedPatch:
    """A patch and what it cost.

    Attributes:
        patch: (c, s, s) within the box.
        accuracy: share of the training images that stay right with it at random places.
        gradient: gradient samples.
        reason: why training was cut short, else empty.
    """

    patch: NDArray[np.float32]
    accuracy: float
    gradient: int
    reason: str = ""


def train(
    model: Model,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    side: int,
    low: float,
    high: float,
    seed: int,
    settings: PatchSettings,
    stop: Callable[[], str | None] = lambda: None,
) -> TrainedPatch:
    """Train a universal square patch with signed gradients at random places on random training images.

    Args:
        model: logits of (n, c, h, w) images.
        x: (n, c, h, w) training images.
        y: (n,) their classes.
        side: of the patch in pixels.
        low: darkest value.
        high: brightest value.
        seed: root of the draws.
        settings: steps, batch, starts, target.
        stop: asked before each step.

    Source: Brown et al. 2017, "Adversarial patch", section 2: expectation over images and places; here of the margin
    instead of a log-probability, and with the sign of a running mean of gradients.
    """
    oracle = Oracle(model)
    best: TrainedPatch | None = None
    for start in range(settings.starts):
        patch, reason = _descend(oracle, x, y, side, (low, high), seed, start, settings, stop)
        accuracy = _accuracy(oracle, x, y, patch, seed)
        if best is None or accuracy < best.accuracy:
            best = TrainedPatch(patch=patch, accuracy=accuracy, gradient=0, reason=reason)
        if reason:
            break
    if best is None:
        msg = "a patch needs at least one start"
        raise ValueError(msg)
    return TrainedPatch(patch=best.patch, accuracy=best.accuracy, gradient=oracle.counts.queries, reason=reason)


def _descend(
    oracle: Oracle,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    side: int,
    bounds: tuple[float, float],
    seed: int,
    start: int,
    settings: PatchSettings,
    stop: Callable[[], str | None],
) -> tuple[NDArray[np.float32], str]:
    low, high = bounds
    key = sample_keys(seed, "patch", [start])
    patch = low + (high - low) * uniform(key, (x.shape[1], side, side), stream=0)[0]
    memory = np.zeros_like(patch)
    for step in range(settings.steps):
        if why := stop():
            return patch, why
        rows = integers(key, (min(settings.batch, len(x)),), len(x), stream=2 * step + 1)[0]
        keys = sample_keys(seed, f"patch {start} {step}", np.arange(len(rows)))
        memory = 0.9 * memory + _gradient(
            oracle, x[rows], y[rows], patch, drawn(keys, x.shape, side, stream=0), settings
        )
        rate = settings.rate * (high - low) * (1 - 0.9 * step / settings.steps)
        patch = np.clip(patch - np.float32(rate) * np.sign(memory), low, high).astype(np.float32)
    return patch, ""


def _gradient(
    oracle: Oracle,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    patch: NDArray[np.float32],
    at: NDArray[np.int64],
    settings: PatchSettings,
) -> NDArray[np.float32]:
    """Return the mean gradient of the margin by the patch, (c, s, s); images that already err are left out."""
    labels = torch.as_tensor(y)
    targets = None if settings.target is None else torch.full_like(labels, settings.target)

    def objective(logits: torch.Tensor) -> torch.Tensor:
        values = margin(logits, labels, targets)
        # what errs by far needs no more push; the scale of the logits is the network's own
        return values.clamp(min=-float(values.detach().abs().mean()))

    _, by_pixel, _ = oracle.gradient(torch.as_tensor(stick(x, patch, at)), objective)
    side = patch.shape[-1]
    windows = [
        g[:, t : t + side, left : left + side] for g, (t, left) in zip(by_pixel.numpy(), at.tolist(), strict=True)
    ]
    mean = np.mean(windows, axis=0)
    return np.asarray(mean / max(float(np.abs(mean).mean()), 1e-30), np.float32)


def _accuracy(
    oracle: Oracle, x: NDArray[np.float32], y: NDArray[np.int64], patch: NDArray[np.float32], seed: int
) -> float:
    keys = sample_keys(seed, "patch trial", np.arange(len(x)))
    at = drawn(keys, x.shape, patch.shape[-1], stream=0)
    answers = oracle.logits(torch.as_tensor(stick(x, patch, at))).argmax(1).numpy()
    return float((answers == y).mean())
