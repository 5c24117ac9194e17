"""Where an input may be moved: a norm ball cut with the box of legal values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

if TYPE_CHECKING:
    from torch import Tensor

Norm: TypeAlias = Literal["linf", "l2", "l1"]
"""Name of a distance: the largest, the Euclidean or the summed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """The points within a radius of each of n inputs and inside the box."""

    centre: Tensor
    """The inputs, (n, …)."""
    low: Tensor
    """Smallest value of each coordinate of a legal point within the radius, (n, …)."""
    high: Tensor
    """Largest such value, (n, …)."""
    radius: Tensor
    """Radius of each ball, (n,)."""
    norm: Norm

    @classmethod
    def around(cls, x: Tensor, *, eps: float | Tensor, norm: Norm, bounds: tuple[float, float]) -> Region:
        """Build the region around inputs (n, …) inside the bounds, with one radius or one for each, (n,)."""
        radius = torch.as_tensor(eps, dtype=x.dtype).expand(len(x))
        move = radius.reshape(-1, *([1] * (x.ndim - 1)))
        # one step further than the rounded ends, so that the exact ball lies inside
        low = torch.nextafter(x - move, torch.full_like(x, -torch.inf)).clamp(*bounds)
        high = torch.nextafter(x + move, torch.full_like(x, torch.inf)).clamp(*bounds)
        return cls(centre=x, low=torch.minimum(low, x), high=torch.maximum(high, x), radius=radius, norm=norm)

    def __len__(self) -> int:
        """Return how many inputs there are."""
        return len(self.centre)

    def rows(self, chosen: Tensor) -> Region:
        """Return the region of chosen inputs."""
        parts = (self.centre, self.low, self.high, self.radius)
        centre, low, high, radius = (part[chosen] for part in parts)
        return Region(centre=centre, low=low, high=high, radius=radius, norm=self.norm)
