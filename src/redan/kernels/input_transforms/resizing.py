"""Images made a little smaller and put somewhere on an empty ground, as drawn from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


class Resized(nn.Module):
    """One such place.

    Args:
        scale: side of the smaller image over that of the image.
        down: where it lies between the top (0) and the bottom (1).
        right: where it lies between left (0) and right (1).
        ground: value around it.
    """

    place: Tensor

    def __init__(self, *, scale: float, down: float, right: float, ground: float) -> None:
        super().__init__()
        self.register_buffer("place", torch.tensor([scale, down, right, ground], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) images."""
        scale, down, right, ground = self.place.tolist()
        h, w = x.shape[2:]
        rows, columns = max(1, round(scale * h)), max(1, round(scale * w))
        small = functional.interpolate(x, size=(rows, columns), mode="bilinear", align_corners=False)
        top, left = round(down * (h - rows)), round(right * (w - columns))
        return functional.pad(small, (left, w - columns - left, top, h - rows - top), value=ground)


def drawn(seed: int, copies: int, *, smallest: float, ground: float) -> tuple[Resized, ...]:
    """Draw places: sides uniform between `smallest` and 1 of the image's, places uniform.

    Source: Xie, Wang, Zhang, Ren & Yuille 2018, "Mitigating adversarial effects through randomization", section 3,
    with smaller instead of larger images, so that the network's input keeps its size.
    """
    stream = np.random.default_rng(seed)
    places = stream.uniform((smallest, 0.0, 0.0), (1.0, 1.0, 1.0), size=(copies, 3))
    return tuple(Resized(scale=s, down=d, right=r, ground=ground) for s, d, r in places.tolist())
