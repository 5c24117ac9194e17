"""Which training rows look planted: every layer's verdict on every class, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.backdoors.likelihood import INDEX_BAR, scan
from redan.kernels.statistics import clopper_pearson

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """What the layers say about n rows.

    Attributes:
        classes: (k,) classes with enough rows to be examined.
        index: (layers, k) how unlike the other classes each class splits in two.
        distances: (layers, k) distance between its two components, in standard deviations.
        share: (k,) share of the class in the smaller component, in the layer that shows it best.
        natural: (k,) whether trusted rows show the smaller component too, so that nobody planted it.
        flagged: (n,) rows of the smaller component of each alarmed class.
        score: (n,) log odds of the smaller component; minus infinity for rows of classes not examined.
    """

    classes: NDArray[np.int64]
    index: NDArray[np.float64]
    distances: NDArray[np.float64]
    share: NDArray[np.float64]
    natural: NDArray[np.bool_]
    flagged: NDArray[np.bool_]
    score: NDArray[np.float64]

    @property
    def highest(self) -> float:
        """The index that the verdict rests on: of the classes whose component is not natural, 0 where all are."""
        return float(self.index[:, ~self.natural].max(initial=0.0))

    @property
    def alarmed(self) -> NDArray[np.int64]:
        """Classes above the bar."""
        return np.asarray(self.classes[(self.index.max(axis=0) >= INDEX_BAR) & ~self.natural], np.int64)


def planted(
    features: list[NDArray[Any]], y: NDArray[Any], trusted: tuple[list[NDArray[Any]], NDArray[Any]] | None = None
) -> Planted:
    """Scan every layer, and take each class as the layer shows it that tells it best from the others.

    Args:
        features: for each layer (n, d).
        y: (n,) classes as the training data give them.
        trusted: for each layer (m, d), and (m,) classes, of rows that nobody planted anything in.

    Raises:
        ValueError: fewer than two classes have enough rows.
    """
    known = [None] * len(features) if trusted is None else [(layer, trusted[1]) for layer in trusted[0]]
    scans = [scan(layer, y, some) for layer, some in zip(features, known, strict=True)]
    index = np.stack([s.index for s in scans])
    flagged, score = np.zeros(len(y), bool), np.full(len(y), -np.inf)
    share, natural = np.zeros(index.shape[1]), np.zeros(index.shape[1], bool)
    for place, label in enumerate(scans[0].classes.tolist()):
        best = scans[int(index[:, place].argmax())]
        split = best.splits[place]
        own = np.flatnonzero(y == label)
        score[own] = split.score
        share[place] = split.minority.mean()
        natural[place] = _natural(*best.trusted[place].tolist(), share=float(share[place]))
        if index[:, place].max() >= INDEX_BAR and not natural[place]:
            flagged[own] = split.minority
    return Planted(
        classes=scans[0].classes,
        index=index,
        distances=np.stack([s.distances for s in scans]),
        share=share,
        natural=natural,
        flagged=flagged,
        score=score,
    )


def _natural(inside: int, rows: int, *, share: float) -> bool:
    """Tell whether the component is in trusted rows more often than a fifth of its share in the training data.

    Planted rows are in no trusted data, but a few others lie on their side of the line. One-sided exact test at 5 %.
    """
    if not inside:
        return False
    low, _ = clopper_pearson(inside, rows, 0.90)
    return low > share / 5
