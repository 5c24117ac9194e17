"""Attacks that know the detector: the margin they make small is that of being misclassified and not detected.

A detector counts for what it is worth against somebody who optimises against both. The wrapped model answers
min(z_j, z_c - s) for every class j but the true class c, where s is how far the detector's score lies above its
threshold, scaled; towards each class its margin is the larger of the model's margin and s, so it is negative exactly
where the model errs and the detector is silent. Any attack of `redan.kernels.attacks` works on it unchanged, and its
verdict is exact. Source: Carlini, Wagner, "Adversarial examples are not easily detected", AISec 2017, section 3 (one
model of classifier and detector); Tramer et al., "On adaptive attacks to adversarial example defenses", NeurIPS 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from redan.kernels.attacks.oracle import Model
    from redan.kernels.detectors.mahalanobis import Mahalanobis
    from redan.kernels.detectors.neighbours import Neighbours
    from redan.kernels.detectors.squeezing import Squeezing

Suspicion: TypeAlias = "Callable[[Tensor], Tensor]"
"""Maps points (n, …) to scores (n,), differentiable; above the threshold is an alarm."""
Form: TypeAlias = Literal["larger", "sum"]
"""How margin and excess go together: the larger of both, or the margin plus the positive part of the excess."""


def undetected(
    model: Model, suspicion: Suspicion, *, threshold: float, label: int, weight: float, form: Form = "larger"
) -> Model:
    """Wrap a model and a detector for samples of one class.

    Args:
        model: answers logits (n, k).
        suspicion: the detector's score.
        threshold: of the detector.
        label: true class of all samples.
        weight: units of the margin for one threshold of excess.
        form: "larger" is exact; "sum" descends on both at once, and its verdict has to be checked.
    """
    scale = weight / max(abs(threshold), 1e-6)

    def both(points: Tensor) -> Tensor:
        logits = model(points)
        excess = (suspicion(points) - threshold) * scale
        if form == "sum":
            others = logits - functional.relu(excess).unsqueeze(1)
        else:
            others = torch.minimum(logits, (logits[:, label] - excess).unsqueeze(1))
        others[:, label] = logits[:, label]
        return others

    return both


def mahalanobis(detector: Mahalanobis, features: Callable[[Tensor], Tensor]) -> Suspicion:
    """Return `Mahalanobis.scores` of features as torch computes it."""
    whitening = torch.from_numpy(detector.whitening).float()
    centres = torch.from_numpy(detector.centres).float()

    def score(points: Tensor) -> Tensor:
        white = features(points) @ whitening
        return ((white[:, None, :] - centres) ** 2).sum(2).amin(1)

    return score


def neighbours(detector: Neighbours, features: Callable[[Tensor], Tensor]) -> Suspicion:
    """Return `Neighbours.scores` of features as torch computes it."""
    kept = torch.from_numpy(detector.kept.copy())

    def score(points: Tensor) -> Tensor:
        alike = functional.normalize(features(points), dim=1) @ kept.T
        kth = alike.topk(detector.k, dim=1).values[:, -1]
        return (2 - 2 * kth).clamp_min(1e-8).sqrt()

    return score


def squeezing(detector: Squeezing, logits: Model) -> Suspicion:
    """Return `Squeezing.scores` as torch computes it; rounding lets gradients through as the identity."""

    def score(points: Tensor) -> Tensor:
        copies = [_fewer_levels(points, detector)]
        if points.ndim == 4 and detector.window > 1 and min(points.shape[2:]) >= detector.window:
            copies.append(_median(points, detector.window))
        plain = logits(points).softmax(1)
        disagreement: Tensor = torch.stack([(logits(c).softmax(1) - plain).abs().sum(1) for c in copies]).amax(0)
        return disagreement

    return score


def _fewer_levels(points: Tensor, detector: Squeezing) -> Tensor:
    levels, span = 2**detector.bits - 1, detector.high - detector.low
    rounded = ((points - detector.low) / span * levels).round() / levels * span + detector.low
    through: Tensor = points + (rounded - points).detach()
    return through


def _median(points: Tensor, window: int) -> Tensor:
    before, after = (window - 1) // 2, window // 2
    padded = functional.pad(points, (before, after, before, after), mode="reflect")
    views = padded.unfold(2, window, 1).unfold(3, window, 1).flatten(4)
    # numpy's median of an even number is the mean of the middle two; torch's own is the lower one
    ordered, middle = views.sort(dim=4).values, window * window // 2
    smooth: Tensor = (ordered[..., middle] + ordered[..., (window * window - 1) // 2]) / 2
    return smooth
