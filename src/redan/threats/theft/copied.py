"""What is said of a copy: how often it answers like the model, and what that cost the thief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from redan.core.finding import Quantity
from redan.kernels.extraction.clone import probabilities
from redan.kernels.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from redan.threats.theft.asking import Field


def agreement(net: nn.Module, field: Field) -> NDArray[np.bool_]:
    """Return for each judged row whether the copy answers like the model."""
    x: Any = torch.as_tensor(np.asarray(field.judged.x), dtype=torch.float32)
    return np.asarray(probabilities(net, x).argmax(dim=1).numpy() == field.truth)


def fidelity(agrees: NDArray[np.bool_], name: str = "fidelity", *, partial: bool = False) -> Quantity:
    """Return the share of rows on which a copy answers like the model; lower is better for its owner."""
    n, hits = len(agrees), int(agrees.sum())
    low, high = wilson(hits, n)
    return Quantity(
        name=name, value=hits / n, unit="fraction", n=n, low=low, high=high, better="lower", partial=partial
    )
