"""An attack walks on the share of each column's range; what it asks are allowed rows on the owner's scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redan.kernels.attacks.reach import norms
from redan.kernels.constraints.table import Constraints, Rows, toward

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Norm


class Feasible:
    """Rows that break no rule; a `redan.kernels.attacks.reach.Reach`.

    Args:
        constraints: the rules.
        clean: rows on the owner's scale, (n, d).
        inputs: the same rows as the attack sees them, (n, d).
        low: what stands for 0 of the attack in each column, (d,) or one number.
        span: what a step of 1 of the attack is in each column, (d,) or one number.
        norm: distance, on the attack's scale.
        eps: rows farther away are not asked; infinity for an attack without a ball.
    """

    everywhere = False

    def __init__(
        self,
        constraints: Constraints,
        clean: NDArray[Any],
        inputs: NDArray[np.float32],
        *,
        low: NDArray[np.float64] | float,
        span: NDArray[np.float64] | float,
        norm: Norm,
        eps: float = np.inf,
    ) -> None:
        self._constraints = constraints
        self._clean = np.asarray(clean, np.float64)
        self._kind = clean.dtype if clean.dtype.kind == "f" else np.dtype(np.float64)
        self._inputs = inputs
        self._low, self._span = low, span
        self._norm: Norm = norm
        self._eps = eps

    def rows(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[Any]:
        """Return the allowed rows near the points, in the ball, as the data has them (float32 or float64)."""
        clean = self._clean[places]
        # a cell that was not moved keeps its value to the last digit
        x = np.where(points == self._inputs[places], clean, points.astype(np.float64) * self._span + self._low)
        if np.isinf(self._eps):
            return self._constraints.project(x, clean).astype(self._kind)
        # a cube can be handed on as ends of the columns; a round ball is held by going back towards the clean row
        edges = np.broadcast_to(self._eps * np.asarray(self._span, np.float64), clean.shape)
        return toward(
            x,
            clean,
            settle=lambda rows, at: self._constraints.project(
                rows, clean[at], low=clean[at] - edges[at], high=clean[at] + edges[at]
            ),
            accept=lambda rows, at: self._far(rows, clean[at]) <= self._eps * (1 + 1e-6),
        ).astype(self._kind)

    def lengths(self, points: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far those rows lie from their clean ones."""
        return self._far(self.rows(points, places).astype(np.float64), self._clean[places])

    @property
    def prices(self) -> bool:
        """Whether any change costs anything."""
        return bool(self._constraints.unit_cost.any())

    def possible(self) -> NDArray[np.bool_]:
        """Return which clean rows break no rule, so that there is anything to attack, (n,)."""
        return self._constraints.feasible(self._clean, self._clean)

    def cost(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return what turning each clean row into its row costs, (n,)."""
        return self._constraints.cost(rows, self._clean)

    def _far(self, rows: Rows, clean: Rows) -> NDArray[np.float64]:
        return norms(np.nan_to_num(rows - clean, nan=0.0) / self._span, self._norm)
