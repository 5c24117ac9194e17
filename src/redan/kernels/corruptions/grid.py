"""A grid of rotations and shifts, for the worst of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.corruptions.warping import affine

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Rotations and shifts, each from minus to plus its most in equal steps, zero among them.

    Attributes:
        degrees: most rotation.
        shift: most shift as a share of the shorter side.
        n_degrees: how many rotations, odd.
        n_shifts: how many shifts along each axis, odd.

    Source: Engstrom et al. 2019, "Exploring the landscape of spatial robustness", section 3: rotations up to 30
    degrees and shifts up to about a tenth of the side, searched exhaustively.
    """

    degrees: float
    shift: float
    n_degrees: int
    n_shifts: int

    def angles(self) -> NDArray[np.float32]:
        """Return the rotations in degrees, counter-clockwise."""
        return np.linspace(-self.degrees, self.degrees, self.n_degrees, dtype=np.float32)

    def shares(self) -> NDArray[np.float32]:
        """Return the shifts along one axis as shares of the shorter side."""
        return np.linspace(-self.shift, self.shift, self.n_shifts, dtype=np.float32)

    def __len__(self) -> int:
        return self.n_degrees * self.n_shifts**2

    def place(self, index: int) -> tuple[float, float, float]:
        """Return (degrees, shift down, shift right) of one place, shifts as shares of the shorter side."""
        angle, down, right = np.unravel_index(index, (self.n_degrees, self.n_shifts, self.n_shifts))
        return float(self.angles()[angle]), float(self.shares()[down]), float(self.shares()[right])

    def sizes(self) -> NDArray[np.float64]:
        """Return how far each place is from no change, (places,): the largest of its three shares of the most."""
        turned = np.abs(self.angles()) / (self.degrees or 1)
        moved = np.abs(self.shares()) / (self.shift or 1)
        wide = np.maximum(turned[:, None, None], np.maximum(moved[None, :, None], moved[None, None, :]))
        return np.asarray(wide.reshape(-1), np.float64)

    def moved(self, x: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Return images (n, c, h, w) at one place; what comes into view repeats the edge."""
        degrees, down, right = self.place(index)
        side, ones = min(x.shape[2:]), np.ones(len(x), np.float32)
        return affine(x, degrees=ones * degrees, zoom=ones, down=ones * down * side, right=ones * right * side)
