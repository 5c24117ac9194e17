"""What an attack minimises: losses of logits (n, k) and labels (n,), each of shape (n,), small = close to falling.

The margin is negative exactly when the model errs. Sources: margin, Carlini and Wagner, "Towards evaluating the
robustness of neural networks", S&P 2017, section V.A (f6); DLR and targeted DLR, Croce and Hein, "Reliable evaluation
of adversarial robustness with an ensemble of diverse parameter-free attacks", ICML 2020, equations 6 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

DLR_CLASSES = 3
"""DLR divides by the gap between first and third logit."""
TARGETED_DLR_CLASSES = 4
"""Targeted DLR divides by a gap that involves the fourth logit."""
_GAP = 1e-12


def pick(logits: Tensor, classes: Tensor) -> Tensor:
    """Logit of the given class of each sample, shape (n,)."""
    return logits.gather(1, classes.unsqueeze(1)).squeeze(1)


def rival(logits: Tensor, labels: Tensor) -> Tensor:
    """The best class other than the label, shape (n,), int64."""
    return logits.detach().scatter(1, labels.unsqueeze(1), -torch.inf).argmax(1)


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """Logit of the label minus logit of the target (default: the best other class)."""
    return pick(logits, labels) - pick(logits, rival(logits, labels) if targets is None else targets)


def margin_towards(labels: Tensor, targets: Tensor | None) -> Callable[[Tensor], Tensor]:
    """The margin as a function of logits alone."""
    return lambda logits: margin(logits, labels, targets)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-probability of the label (the negated cross-entropy: an attack makes it small)."""
    return -functional.cross_entropy(logits, labels, reduction="none")


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio: the margin divided by the gap between the first and the third logit.

    Raises:
        ValueError: fewer than three classes.
    """
    if logits.shape[1] < DLR_CLASSES:
        msg = f"DLR needs at least {DLR_CLASSES} classes, got {logits.shape[1]}; use the margin"
        raise ValueError(msg)
    ranked = logits.topk(DLR_CLASSES, dim=1).values
    return margin(logits, labels) / (ranked[:, 0] - ranked[:, 2] + _GAP)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio.

    Raises:
        ValueError: fewer than four classes.
    """
    if logits.shape[1] < TARGETED_DLR_CLASSES:
        msg = f"targeted DLR needs at least {TARGETED_DLR_CLASSES} classes, got {logits.shape[1]}; use the margin"
        raise ValueError(msg)
    ranked = logits.topk(TARGETED_DLR_CLASSES, dim=1).values
    gap = ranked[:, 0] - 0.5 * (ranked[:, 2] + ranked[:, 3]) + _GAP
    return margin(logits, labels, targets) / gap
