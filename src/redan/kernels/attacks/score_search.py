"""The strongest search by scores that we know for a budget: Square alone under Linf, SimBA and then Square under L2.

Measured on networks and forests (docs/black-box.md): under L2 SimBA gets farther in the first few hundred queries and
Square in the thousands; Square that goes on from SimBA's points does well at both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redan.kernels.attacks.grid import Grid, OnGrid
from redan.kernels.attacks.scored import Floats, Standing
from redan.kernels.attacks.shorten import shorten
from redan.kernels.attacks.simba import SimbaSettings, walk
from redan.kernels.attacks.square import SquareSettings, search
from redan.kernels.attacks.watch import never, silent

if TYPE_CHECKING:
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.attacks.decision import Predict, Scored
    from redan.kernels.attacks.reach import Asked
    from redan.kernels.draws import Keys

_FIRST_SHARE = 0.5
"""Share of the queries that SimBA has under L2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSearchSettings:
    """How much the search asks."""

    queries: int = 1000
    """Queries of each sample, that of the clean input among them."""
    shorten: bool = False
    """Whether misclassified points are brought back towards their samples at the end, for 14 queries each."""


def score_search(
    scores: Predict,
    inputs: Floats,
    labels: NDArray[np.integer],
    *,
    ball: Ball,
    keys: Keys,
    settings: ScoreSearchSettings,
    reach: Asked | None = None,
    batch_size: int = 10_000,
    max_queries: int | None = None,
    stop: Callable[[], str | None] = never,
    progress: Callable[[str, int, int], None] = silent,
) -> Scored:
    """Search a misclassified point in the ball around each sample; arguments and errors as in `square`."""
    grid = Grid.of(inputs.shape)
    standing = Standing(
        scores,
        grid.inward(np.asarray(inputs, dtype=np.float32)),
        labels,
        keys,
        reach=OnGrid(grid, reach),
        batch_size=batch_size,
        max_queries=max_queries,
        stop=stop,
        progress=progress,
    )
    standing.start()
    first = round(_FIRST_SHARE * settings.queries) if ball.norm == "l2" else 0
    if first:
        walk(standing, ball, SimbaSettings(queries=first, basis="cosines" if len(grid.shape) > 1 else "pixels"))
    search(standing, ball, SquareSettings(queries=settings.queries - first))
    if settings.shorten:
        shorten(standing, np.flatnonzero(standing.success & (standing.spent > 1)))
    found = standing.result()
    return replace(found, points=grid.outward(found.points))
