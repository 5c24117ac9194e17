"""Which training rows look planted: every layer's verdict on every class, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.kernels.backdoors.likelihood import INDEX_BAR, scan

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
        flagged: (n,) rows of the smaller component of each class whose index is above the bar.
        score: (n,) log odds of the smaller component; minus infinity for rows of classes not examined.
    """

    classes: NDArray[np.int64]
    index: NDArray[np.float64]
    distances: NDArray[np.float64]
    share: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    score: NDArray[np.float64]

    @property
    def highest(self) -> float:
        """The index that the verdict rests on."""
        return float(self.index.max())

    @property
    def alarmed(self) -> NDArray[np.int64]:
        """Classes above the bar."""
        return np.asarray(self.classes[self.index.max(axis=0) >= INDEX_BAR], np.int64)


def planted(features: list[NDArray[Any]], y: NDArray[Any]) -> Planted:
    """Scan every layer, and take each class as the layer shows it that tells it best from the others.

    Args:
        features: for each layer (n, d).
        y: (n,) classes as the training data give them.

    Raises:
        ValueError: fewer than two classes have enough rows.
    """
    scans = [scan(layer, y) for layer in features]
    index = np.stack([s.index for s in scans])
    flagged, score = np.zeros(len(y), bool), np.full(len(y), -np.inf)
    share = np.zeros(index.shape[1])
    for place, label in enumerate(scans[0].classes.tolist()):
        split = scans[int(index[:, place].argmax())].splits[place]
        own = np.flatnonzero(y == label)
        score[own] = split.score
        share[place] = split.minority.mean()
        if index[:, place].max() >= INDEX_BAR:
            flagged[own] = split.minority
    return Planted(
        classes=scans[0].classes,
        index=index,
        distances=np.stack([s.distances for s in scans]),
        share=share,
        flagged=flagged,
        score=score,
    )
