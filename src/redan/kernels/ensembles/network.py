"""Several networks that answer as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

Answer: TypeAlias = Literal["mean", "random"]
"""The mean of all logits, or the logits of one member drawn at each call."""


class Ensemble(nn.Module):
    """Answers with the mean of its members' logits, or with those of one drawn at each call from a stream of its own.

    Args:
        members: each maps (n, …) to logits (n, k).
        answer: which of the two.
        seed: of the draws.
    """

    random: Tensor

    def __init__(self, members: Sequence[nn.Module], *, answer: Answer = "mean", seed: int = 0) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        # as a buffer it is part of the digest of what was measured
        self.register_buffer("random", torch.tensor(answer == "random"))
        self._stream = np.random.default_rng(seed)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to (n, k) logits."""
        if bool(self.random):
            logits: Tensor = self.members[int(self._stream.integers(len(self.members)))](x)
            return logits
        return torch.stack([member(x) for member in self.members]).mean(dim=0)
