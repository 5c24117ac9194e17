"""A network as in use for a moment in the middle of its training."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def in_use(net: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode without gradients, and every part back into its mode."""
    training = [part for part in net.modules() if part.training]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part in training:
            part.training = True
