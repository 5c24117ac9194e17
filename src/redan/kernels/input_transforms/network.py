"""A network that sees its inputs through one or several transformations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

Answer: TypeAlias = Literal["mean", "random"]
"""Whether all views answer together, or one of them drawn anew at each call."""
_SMALLEST = 1e-30


class TransformedNetwork(nn.Module):
    """Asks a network about transformed inputs.

    One view: the network's logits. Several: the logarithm of their mean probability, or with ``random`` the logits of
    one that is drawn at each call, the same for the whole batch, from a stream of the network's own.

    Args:
        inner: maps (n, …) to logits (n, k).
        views: transformations; each keeps the shape.
        answer: how several answer.
        seed: of the draws.
    """

    random: Tensor

    def __init__(self, inner: nn.Module, views: Sequence[nn.Module], *, answer: Answer = "mean", seed: int = 0) -> None:
        super().__init__()
        self.inner = inner
        self.views = nn.ModuleList(views)
        # as a buffer it is part of the digest of what was measured
        self.register_buffer("random", torch.tensor(answer == "random"))
        self._stream = np.random.default_rng(seed)
        self.training = inner.training

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to (n, k) logits."""
        if len(self.views) == 1:
            return self._through(0, x)
        if bool(self.random):
            return self._through(int(self._stream.integers(len(self.views))), x)
        shares = [self._through(view, x).softmax(dim=1) for view in range(len(self.views))]
        return torch.stack(shares).mean(dim=0).clamp_min(_SMALLEST).log()

    def _through(self, view: int, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(self.views[view](x))
        return logits
