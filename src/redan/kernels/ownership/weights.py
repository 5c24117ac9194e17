"""Secret bits in the weights of one layer, which fine-tuning and pruning leave in place.

Source: Uchida, Nagai, Sakazawa & Satoh 2017, "Embedding watermarks into deep neural networks", equations 2 to 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from redan.kernels.ownership.secret import bits, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_WEIGHTS = 64


def carrier(net: nn.Module) -> tuple[str, Tensor]:
    """Return the layer that carries the bits: that with the most weights between the first and the last layer.

    A network of two layers carries them in the larger one. The first and the last are what somebody who adapts a model
    replaces.

    Raises:
        ValueError: no dense or convolutional layer has enough weights.
    """
    found = [
        (f"{name}.weight", part.weight)
        for name, part in net.named_modules()
        if isinstance(part, (nn.Linear, nn.Conv1d, nn.Conv2d)) and part.weight.numel() >= LEAST_WEIGHTS
    ]
    inner = found[1:-1] or found
    if not inner:
        msg = "no dense or convolutional layer is large enough to carry a mark"
        raise ValueError(msg)
    return max(inner, key=lambda each: each[1].numel())


def projection(key: bytes, n_bits: int, width: int) -> NDArray[np.float32]:
    """Return the keyed directions that bits are read along, (n_bits, width), standard normal."""
    return stream(key, "directions").standard_normal((n_bits, width)).astype(np.float32)


def carried(weight: Tensor) -> Tensor:
    """Return the vector that carries the bits: weights averaged over the layer's outputs in eight groups.

    Source: Uchida et al. 2017, section 3.2 (mean over filters, so that their order does not matter); eight groups
    give room where a layer has few inputs.
    """
    flat = weight.reshape(len(weight), -1)
    groups = min(8, len(flat))
    return torch.cat([part.mean(dim=0) for part in flat.tensor_split(groups)])


def penalty(weight: Tensor, directions: Tensor, secret: Tensor) -> Tensor:
    """Return the cross-entropy of the secret bits under the bits that the weights carry, a scalar with its graph."""
    return functional.binary_cross_entropy_with_logits(directions @ carried(weight), secret)


def matches(weight: Tensor, key: bytes, n_bits: int) -> int:
    """Return how many of the key's bits a layer's weights carry; half of them by chance."""
    vector = carried(weight.detach().cpu().float()).numpy()
    told = projection(key, n_bits, len(vector)) @ vector > 0
    return int((told == (bits(key, n_bits, "weight bits") == 1)).sum())
