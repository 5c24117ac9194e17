"""How like an inverted class is to the class, and whether it is like one record of the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likeness:
    """Judgement of k inverted classes.

    Attributes:
        recognised: (k,) whether the nearest class mean of rows that the model never saw is that of the class.
        linear: (k,) whether a linear classifier fitted on those rows says the class.
        to_mean: (k,) correlation with the mean of the class's training rows.
        to_train: (k,) largest correlation with one training row of the class.
        to_others: (k,) largest correlation with one of as many rows of the class that were not trained on.
    """

    recognised: NDArray[np.bool_]
    linear: NDArray[np.bool_]
    to_mean: NDArray[np.float64]
    to_train: NDArray[np.float64]
    to_others: NDArray[np.float64]


def likeness(
    found: NDArray[Any],
    classes: NDArray[np.int64],
    train: tuple[NDArray[Any], NDArray[np.int64]],
    others: tuple[NDArray[Any], NDArray[np.int64]],
) -> Likeness:
    """Compare inverted classes with the rows of both sides.

    Args:
        found: (k, d) one input a class.
        classes: (k,) the classes; each occurs on both sides.
        train: (n, d) rows and (n,) classes that the model was trained on.
        others: (m, d) rows and (m,) classes that it was not.
    """
    means = np.stack([others[0][others[1] == c].mean(axis=0) for c in classes.tolist()])
    gaps = ((found[:, None, :] - means[None]) ** 2).sum(axis=2)
    to_mean, to_train, to_others = [], [], []
    for row, c in zip(found, classes.tolist(), strict=True):
        members, strangers = train[0][train[1] == c], others[0][others[1] == c]
        size = min(len(members), len(strangers))
        to_mean.append(_correlations(members.mean(axis=0)[None], row)[0])
        to_train.append(_correlations(members[:size], row).max())
        to_others.append(_correlations(strangers[:size], row).max())
    return Likeness(
        recognised=classes[gaps.argmin(axis=1)] == classes,
        linear=_linear(others, found, classes),
        to_mean=np.array(to_mean),
        to_train=np.array(to_train),
        to_others=np.array(to_others),
    )


def _correlations(rows: NDArray[Any], row: NDArray[Any]) -> NDArray[np.float64]:
    """Return Pearson's correlation of each of the rows (n, d) with one (d,); 0 where one of them is constant."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    own = row - row.mean()
    lengths = np.sqrt((centred**2).sum(axis=1) * (own**2).sum())
    products = centred @ own
    return np.asarray(np.divide(products, lengths, out=np.zeros(len(rows)), where=lengths > 0))


def _linear(
    others: tuple[NDArray[Any], NDArray[np.int64]], found: NDArray[Any], classes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Ask a ridge classifier fitted on the rows of one side."""
    x, y = others
    centre = x.mean(axis=0)
    wanted = (y[:, None] == classes[None]).astype(np.float64)
    rows = x - centre
    ridge = rows.T @ rows + np.eye(x.shape[1]) * (1e-6 + 0.01 * float((rows**2).sum()) / max(1, x.shape[1]))
    weights = np.linalg.solve(ridge, rows.T @ (wanted - wanted.mean(axis=0)))
    said = (found - centre) @ weights + wanted.mean(axis=0)
    return np.asarray(classes[said.argmax(axis=1)] == classes)
