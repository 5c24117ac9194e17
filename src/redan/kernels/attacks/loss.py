"""What an attack minimises: losses of logits (n, k) and labels (n,), each of shape (n,), small = close to falling.

A sample falls when the model errs on it; where a class is wanted, when the model answers that class. The margin is
negative exactly then. Sources: margin, Carlini and Wagner, "Towards evaluating the
robustness of neural networks", S&P 2017, section V.A (f6); DLR and targeted DLR, Croce and Hein, "Reliable evaluation
of adversarial robustness with an ensemble of diverse parameter-free attacks", ICML 2020, equations 6 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

Loss: TypeAlias = Literal["ce", "dlr", "targeted-dlr", "margin"]
"""Names of the objectives; "targeted-dlr" needs a class to head for."""

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


def goal_margin(logits: Tensor, labels: Tensor, wanted: Tensor | None) -> Tensor:
    """How far a sample is from falling: its margin; where a class is wanted, the best other logit minus that one's."""
    return margin(logits, labels) if wanted is None else -margin(logits, wanted)


def falls(logits: Tensor, labels: Tensor, wanted: Tensor | None) -> Tensor:
    """Whether the model errs; where a class is wanted, whether it answers that class; bool, shape (n,)."""
    answers = logits.argmax(1)
    return answers != labels if wanted is None else answers == wanted


def margin_towards(labels: Tensor, targets: Tensor | None, wanted: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    """The margin as a function of logits alone; a wanted class takes the place of targets."""
    if wanted is not None:
        return lambda logits: goal_margin(logits, labels, wanted)
    return lambda logits: margin(logits, labels, targets)


def objective(
    loss: Loss, labels: Tensor, targets: Tensor | None, wanted: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """The loss of logits alone, to be made small.

    Raises:
        ValueError: "targeted-dlr" without a class to head for.
    """
    if loss == "margin":
        return margin_towards(labels, targets, wanted)
    if wanted is not None:
        return _wanting(loss, wanted)
    if loss == "ce":
        return lambda logits: cross_entropy(logits, labels)
    if loss == "dlr":
        return lambda logits: dlr(logits, labels)
    if targets is None:
        msg = "the targeted DLR loss needs targets"
        raise ValueError(msg)
    return lambda logits: targeted_dlr(logits, labels, targets)


def _wanting(loss: Loss, wanted: Tensor) -> Callable[[Tensor], Tensor]:
    """The same where one class is wanted: it plays the label's part with the sign turned, or the target's."""
    if loss == "ce":
        return lambda logits: -cross_entropy(logits, wanted)
    if loss == "dlr":
        return lambda logits: -dlr(logits, wanted)
    return lambda logits: targeted_dlr(logits, rival(logits, wanted), wanted)


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
