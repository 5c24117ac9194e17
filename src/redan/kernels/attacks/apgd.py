"""Auto-PGD: projected gradient descent that halves its own step size.

Source: Croce and Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
attacks", ICML 2020, algorithm 1, conditions 1 and 2 of section 3.2, losses of section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from redan.kernels.attacks import loss as losses

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


Loss: TypeAlias = Literal["ce", "dlr", "targeted-dlr", "margin"]
"""Names of the objectives; "targeted-dlr" needs targets."""

_MOMENTUM = 0.75
_PROGRESS = 0.75
"""rho of condition 1: share of steps that must have improved the loss since the last checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApgdResult:
    """Where Auto-PGD ended."""

    adversarial: Tensor
    """The last misclassified point of each sample that fell, else the best point reached; shape (n, ...)."""
    success: Tensor
    """Whether the point is misclassified, shape (n,)."""
    margin: Tensor
    """Lowest margin met, shape (n,); negative where successful."""
    loss: Loss
    """The objective really used: the margin stands in for a DLR that has too few classes."""


def usable_loss(loss: Loss, n_classes: int) -> Loss:
    """Return the loss itself, or "margin" when the model has too few classes for it (DLR 3, targeted DLR 4)."""
    needed = {"dlr": losses.DLR_CLASSES, "targeted-dlr": losses.TARGETED_DLR_CLASSES}
    return loss if n_classes >= needed.get(loss, 0) else "margin"


def objective(loss: Loss, labels: Tensor, targets: Tensor | None) -> Callable[[Tensor], Tensor]:
    """The loss of logits alone, to be made small.

    Raises:
        ValueError: "targeted-dlr" without targets.
    """
    if loss == "ce":
        return lambda logits: losses.cross_entropy(logits, labels)
    if loss == "dlr":
        return lambda logits: losses.dlr(logits, labels)
    if loss == "margin":
        return lambda logits: losses.margin(logits, labels, targets)
    if targets is None:
        msg = "the targeted DLR loss needs targets"
        raise ValueError(msg)
    return lambda logits: losses.targeted_dlr(logits, labels, targets)


def checkpoints(steps: int) -> tuple[int, ...]:
    """Steps after which the step size may be halved: w_j = ceil(p_j * steps) of section 3.2."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return tuple(-int(-share * steps // 1) for share in shares[1:] if share < 1)
