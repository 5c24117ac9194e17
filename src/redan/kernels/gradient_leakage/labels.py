"""Classes of a batch, read off the gradient of the last bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.gradient_leakage.updates import Update


def last_bias(update: Update, n_classes: int) -> Tensor | None:
    """Return the gradient by the bias of the last layer, or None where it has none for each class."""
    last = update[-1]
    return last if last.shape == (n_classes,) else None


def classes_of(bias: Tensor, n: int, expected: Tensor | None = None) -> Tensor:
    """Return the classes of the n rows of a batch in ascending order, (n,).

    The gradient of the mean cross-entropy by the bias of class c is the mean probability of c minus the share of rows
    of class c. For one row the only negative entry is its class, exactly. For a batch the class with the most negative
    entry is taken and its share given back, n times.

    Args:
        bias: (classes,) the gradient.
        n: rows in the batch.
        expected: (classes,) mean probabilities that the model gives to rows at large; zeros when unknown.

    Source: Zhao, Mopuri & Bilen 2020, "iDLG", section 3.1; for batches the counting of Wainakh et al. 2021, "User-level
    label leakage from gradients", section 4, without its estimate of the impact of a class.
    """
    left = bias.detach().clone() - (0.0 if expected is None else expected)
    found = []
    for _ in range(n):
        place = int(left.argmin())
        found.append(place)
        left[place] += 1.0 / n
    return torch.tensor(sorted(found), dtype=torch.int64)


def agreeing(found: Tensor, true: Tensor) -> int:
    """Return how many classes of two batches agree, whatever the order of rows."""
    top = int(max(found.max(), true.max())) + 1
    counts = torch.minimum(torch.bincount(found, minlength=top), torch.bincount(true, minlength=top))
    return int(counts.sum())
