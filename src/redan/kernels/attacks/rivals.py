"""Which wrong class is the nearest: linearised distances, one gradient a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from redan.kernels.attacks.loss import margin_towards
from redan.kernels.attacks.projection import TINY, dual_norm

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.attacks.ball import Norm
    from redan.kernels.attacks.oracle import Oracle

MOST = 9
"""Rivals considered, as many as APGD-T heads for."""


def likeliest(logits: Tensor, labels: Tensor, most: int = MOST) -> Tensor:
    """The wrong classes of the highest logits, best first, shape (n, min(most, k - 1)), int64."""
    others = logits.scatter(1, labels.unsqueeze(1), -torch.inf)
    return others.argsort(dim=1, descending=True, stable=True)[:, : min(most, logits.shape[1] - 1)]


def least_likely(logits: Tensor, labels: Tensor) -> Tensor:
    """The wrong class of the lowest logit, shape (n,), int64."""
    return logits.scatter(1, labels.unsqueeze(1), torch.inf).argmin(1)


def nearest(oracle: Oracle, inputs: Tensor, labels: Tensor, rivals: Tensor, norm: Norm) -> Tensor:
    """Reorder rivals (n, m) by the distance at which a linear model with the same margin and slope would fall.

    Costs m gradients a sample. One target chosen so does what four to nine do in the order of the logits. Sources:
    Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep neural networks", CVPR
    2016, equation 8; Melamed, Yehudai, Shamir, "MALT powers up adversarial attacks", NeurIPS 2024, section 3.
    """
    if rivals.shape[1] < 2:
        return rivals
    distances = []
    for rank in range(rivals.shape[1]):
        gaps, gradients, _ = oracle.gradient(inputs, margin_towards(labels, rivals[:, rank]))
        distances.append(gaps.abs() / dual_norm(gradients, norm).clamp_min(TINY))
    return rivals.gather(1, torch.stack(distances, dim=1).argsort(dim=1, stable=True))
