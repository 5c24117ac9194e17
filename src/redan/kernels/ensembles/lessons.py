"""The loss of members that learn together, with a price on being wrong in the same direction.

Source: Kariyappa and Qureshi, "Improving adversarial robustness of ensembles with diversity training", 2019, arXiv
1901.09981, equations 4 and 5 (alignment of the gradients by the input, smooth maximum over pairs).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from redan.kernels.ensembles.network import Ensemble
    from redan.kernels.training.course import Batch, Lesson


def jointly(ensemble: Ensemble, points: Callable[[Batch], Tensor], diversity: float) -> Lesson:
    """Sum of the members' cross-entropies, plus a multiple of how much their input gradients point the same way.

    Args:
        ensemble: two members or more; each sees the same batch.
        points: what a batch is learnt on, shape (m, ...).
        diversity: weight of the second part.
    """

    def lesson(batch: Batch) -> Tensor:
        leaf = points(batch).detach().requires_grad_(diversity > 0)
        losses = [functional.cross_entropy(member(leaf), batch.labels, reduction="none") for member in ensemble.members]
        total = torch.stack([loss.mean() for loss in losses]).sum()
        return total + diversity * _alignment(losses, leaf) if diversity > 0 else total

    return lesson


def _alignment(losses: list[Tensor], leaf: Tensor) -> Tensor:
    """Smooth maximum over pairs of the cosine between their gradients, the mean over rows."""
    slopes = [torch.autograd.grad(loss.sum(), leaf, create_graph=True)[0].flatten(1) for loss in losses]
    cosines = [functional.cosine_similarity(one, other, dim=1) for one, other in combinations(slopes, 2)]
    return torch.stack(cosines).logsumexp(dim=0).mean()
