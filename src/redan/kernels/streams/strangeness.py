"""How strange inputs are, held against rows of normal use and against the same rows disturbed.

Two numbers for each input: whether it lies farther from its tenth nearest kept row than 95 % of calibration rows do,
and the rank, among calibration rows, of that distance divided by what is usual around those neighbours. The second is
blind to classes that lie far apart from one another, and sees inputs that fill a gap between them (local outlier
factor: Breunig, Kriegel, Ng & Sander 2000, SIGMOD, section 4, with the mean of neighbours' distances in its place).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch
from redan.kernels import draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 10
MOST_KEPT = 4096
CHUNK_ROWS = 512
FAR = 0.95
NEAR = 0.7
GRID = 512
_TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What is told about n inputs.

    Attributes:
        far: (n,) whether it lies farther than 95 % of calibration rows.
        rank: (n,) of the local ratio among calibration rows, 0 to 1.
        nearest: (n,) distance to the nearest kept row, at most what is usual for calibration rows: inputs that are all
            strange in one way lie nearer to one another than to anything that is kept.
    """

    far: NDArray[np.bool_]
    rank: NDArray[np.float32]
    nearest: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strangeness:
    """Kept rows and what calibration rows are like.

    Attributes:
        kept: (m, d) float32 looks.
        usual: (m,) distance of each kept row to its own tenth neighbour.
        limit: distance beyond which an input is far.
        near: distance to the nearest kept row that 70 % of calibration rows stay below.
        ratios: (GRID,) quantiles of calibration rows' ratios, rising.
        squares: (m,) squared lengths of kept rows.
    """

    kept: NDArray[np.float32]
    usual: NDArray[np.float32]
    limit: float
    near: float
    ratios: NDArray[np.float32]
    squares: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        """Square the lengths of kept rows once."""
        object.__setattr__(self, "squares", _squares(self.kept))

    def of(self, looks: NDArray[np.float32]) -> Told:
        """Judge looks (n, d).

        Raises:
            ShapeMismatch: another width than the kept rows.
        """
        nearest, tenth, ratio = _measured(looks, self.kept, self.squares, self.usual)
        rank = np.searchsorted(self.ratios, ratio) / len(self.ratios)
        return Told(
            far=tenth > self.limit, rank=rank.astype(np.float32), nearest=np.minimum(nearest, np.float32(self.near))
        )


def fit(looks: NDArray[np.float32], calibration: NDArray[np.float32], *, seed: int) -> Strangeness:
    """Keep looks of training rows, all or 4096 drawn by seed, and learn from those of calibration rows.

    Args:
        looks: (n, d) of training rows, disturbed ones among them.
        calibration: (c, d) of other rows of normal use, disturbed ones among them.
        seed: of the draw.

    Raises:
        ShapeMismatch: fewer than 11 rows.
    """
    if min(len(looks), len(calibration)) <= NEIGHBOURS:
        raise ShapeMismatch(f"strangeness needs more than {NEIGHBOURS} rows, got {len(looks)} and {len(calibration)}")
    order = np.argsort(draws.words(draws.sample_keys(seed, "strangeness", range(len(looks))), (), stream=0))
    kept = np.ascontiguousarray(looks[np.sort(order[:MOST_KEPT])])
    squares = _squares(kept)
    parts = [_apart(kept[i : i + CHUNK_ROWS], kept, squares) for i in range(0, len(kept), CHUNK_ROWS)]
    usual = np.concatenate([np.partition(part, NEIGHBOURS, axis=1)[:, NEIGHBOURS] for part in parts])
    nearest, tenth, ratio = _measured(calibration, kept, squares, usual)
    return Strangeness(
        kept=kept,
        usual=usual,
        limit=float(np.quantile(tenth, FAR)),
        near=float(np.quantile(nearest, NEAR)),
        ratios=np.quantile(ratio, (np.arange(GRID) + 0.5) / GRID).astype(np.float32),
    )


def _measured(
    looks: NDArray[np.float32], kept: NDArray[np.float32], squares: NDArray[np.float32], usual: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return distances to the nearest and tenth kept row, and the tenth divided by what is usual there, each (n,)."""
    if looks.ndim != 2 or looks.shape[1] != kept.shape[1]:
        raise ShapeMismatch(f"looks of shape (n, {kept.shape[1]}) are expected, got {looks.shape}")
    found: list[NDArray[Any]] = []
    for first in range(0, len(looks), CHUNK_ROWS):
        apart = _apart(looks[first : first + CHUNK_ROWS], kept, squares)
        places = np.argpartition(apart, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        near = np.take_along_axis(apart, places, axis=1)
        tenth = near.max(axis=1)
        found.append(np.stack([near.min(axis=1), tenth, tenth / np.maximum(usual[places].mean(axis=1), _TINY)]))
    nearest, far, ratio = np.concatenate(found, axis=1) if found else np.empty((3, 0), np.float32)
    return nearest.astype(np.float32), far.astype(np.float32), ratio.astype(np.float32)


def _squares(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((rows * rows).sum(axis=1), np.float32)


def _apart(a: NDArray[np.float32], b: NDArray[np.float32], squares: NDArray[np.float32]) -> NDArray[np.float32]:
    found = a @ b.T
    found *= -2
    found += _squares(a)[:, None]
    found += squares
    return np.asarray(np.sqrt(np.maximum(found, 0.0, out=found), out=found), np.float32)
