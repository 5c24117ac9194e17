"""Backdoored rows as a second component of a class: two normal distributions against one, layer by layer.

Within a class the activations of planted rows lie apart from the others, along a direction in which no other class is
wide. Each class is split in two with the covariance that all classes share; the distance between the two centres, in
standard deviations, is compared with the same distance in the other classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INDEX_BAR = 4.0
"""Index from which a class is called poisoned: the distance is 1.6 times that of the other classes where those agree.

Fixed on models of seeds 0 to 4 and poisoned ones of 100 and 101: clean classes reached 1.7, and
3.6 with few rows; of the poisoned the weakest (its trigger turns 38 % of rows) reached 3.6 and is missed.
"""
LEAST_ROWS = 200
"""Rows a class needs to be examined; among fewer, a dozen alike by nature look planted."""
LEAST_SPREAD = 0.12
"""Smallest spread of the log distances between clean classes that is believed; a few classes may agree by chance."""
MOST_SHARE = 0.5
"""A component of more rows than this is the class itself."""
_START_SHARES = (0.07, 0.15)
_FEWEST_SHARE = 0.01
_FEWEST = 5
_DIRECTIONS = 4
_REFINEMENTS = 8
_RIDGE = 1e-3
_ROWS_A_COLUMN = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One class in two components.

    Attributes:
        distance: between the two centres, in common standard deviations along the line that tells them apart.
        minority: (m,) whether each row of the class is in the smaller component.
        score: (m,) log odds of being in it.
        line: (d,) direction of the discriminant, in the prepared columns relative to the class's centre.
        offset: what is added to the product with the line.
    """

    distance: float
    minority: NDArray[np.bool_]
    score: NDArray[np.float64]
    line: NDArray[np.float32]
    offset: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """All classes of one layer.

    Attributes:
        classes: (k,) classes with enough rows.
        distances: (k,) distance between the components of each.
        index: (k,) how far each log distance lies above that of the other classes, in their spread.
        splits: the components of each.
        trusted: (k, 2) trusted rows of each class in the smaller component, and how many there are.
    """

    classes: NDArray[np.int64]
    distances: NDArray[np.float64]
    index: NDArray[np.float64]
    splits: tuple[Split, ...]
    trusted: NDArray[np.int64]


def scan(features: NDArray[Any], y: NDArray[Any], trusted: tuple[NDArray[Any], NDArray[Any]] | None = None) -> Scan:
    """Split every class in two and say which split is unlike the others.

    Args:
        features: (n, d) activations of one layer.
        y: (n,) classes as the training data give them.
        trusted: activations (m, d) and classes (m,) of rows that nobody planted anything in, such as test data.

    Source: the two-component test follows Tang, Wang, Tang & Zhang 2021 (SCAn), section 4, with a discriminant in
    place of its full likelihood; index by log distances is our own.

    Raises:
        ValueError: fewer than two classes have enough rows.
    """
    classes, counts = np.unique(y, return_counts=True)
    classes = classes[counts >= LEAST_ROWS]
    if len(classes) < 2:
        msg = f"{len(classes)} classes have {LEAST_ROWS} rows or more; two are needed to compare"
        raise ValueError(msg)
    known, labels = trusted or (features[:0], y[:0])
    groups, clean = _prepared([features[y == c] for c in classes], [known[labels == c] for c in classes])
    splits = _splits(groups)[0]
    top = int(np.argmax([s.distance for s in splits]))
    # what is planted in one class widens the covariance that all are measured by
    kept = [group if i != top else group[~splits[i].minority] for i, group in enumerate(groups)]
    splits, centres = _splits(groups, kept)
    distances = np.asarray([s.distance for s in splits])
    inside = [
        (int(((rows - centre) @ split.line + split.offset > 0).sum()), len(rows))
        for rows, centre, split in zip(clean, centres, splits, strict=True)
    ]
    return Scan(
        classes=classes.astype(np.int64),
        distances=distances,
        index=index(distances),
        splits=splits,
        trusted=np.asarray(inside, np.int64),
    )


def index(distances: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far each log distance lies above the median of the others, in robust spreads of the others.

    Args:
        distances: (k,) positive, k >= 2.
    """
    logs = np.log(np.maximum(distances, 1e-6))
    values = np.empty(len(logs))
    for place, value in enumerate(logs):
        others = np.delete(logs, place)
        centre = np.median(others)
        spread = 1.4826 * np.median(np.abs(others - centre))
        values[place] = (value - centre) / max(spread, LEAST_SPREAD)
    return values


def _prepared(
    groups: list[NDArray[Any]], others: list[NDArray[Any]]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Tame long tails, bring columns to one scale, and keep fewer directions where there are few rows.

    Scale and directions come from the groups; the others are treated alike.
    """
    groups, others = (
        [np.sign(g) * np.log1p(np.abs(np.asarray(g, np.float32))) for g in some] for some in (groups, others)
    )
    every = np.concatenate([g - g.mean(axis=0) for g in groups])
    spread = every.std(axis=0)
    live = spread >= max(1e-6 * float(spread.max()), 1e-12)
    if not live.any():
        return [np.zeros((len(g), 1), np.float32) for g in groups], [np.zeros((len(g), 1), np.float32) for g in others]
    scale = spread[live]
    groups, others = ([g[:, live] / scale for g in some] for some in (groups, others))
    most = max(2, min(len(g) for g in groups) // _ROWS_A_COLUMN)
    if len(scale) > most:
        turned = np.linalg.eigh(np.cov((every[:, live] / scale).T))[1][:, -most:].astype(np.float32)
        groups, others = ([g @ turned for g in some] for some in (groups, others))
    return groups, others


def _splits(
    groups: list[NDArray[Any]], kept: list[NDArray[Any]] | None = None
) -> tuple[tuple[Split, ...], list[NDArray[np.float32]]]:
    """Split each group; also return the centres that the rows were taken relative to."""
    kept = kept or groups
    centres = [np.median(k, axis=0) for k in kept]
    scatter = [_scatter(k, centre) for k, centre in zip(kept, centres, strict=True)]
    total, rows = np.sum(scatter, axis=0), sum(map(len, kept))
    found = []
    for group, keep, centre, held in zip(groups, kept, centres, scatter, strict=True):
        whitening = _whitening(total / rows)
        full = held if keep is group else _scatter(group, centre)
        found.append(_split((group - centre).astype(np.float32), full / len(group), whitening))
    return tuple(found), centres


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance[np.diag_indices_from(covariance)] += _RIDGE * np.trace(covariance) / len(covariance) + 1e-12
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(values), np.float64)


def _scatter(rows: NDArray[Any], centre: NDArray[Any]) -> NDArray[np.float64]:
    rest = rows - centre
    return np.asarray(rest.T @ rest, np.float64)


def _split(rows: NDArray[Any], covariance: NDArray[np.float64], whitening: NDArray[np.float64]) -> Split:
    """Split one class, given relative to its centre, by the best of several starts: both tails of a few directions."""
    vectors = np.linalg.eigh(whitening.T @ covariance @ whitening)[1][:, : -_DIRECTIONS - 1 : -1]
    precision = whitening @ whitening.T
    total = rows.sum(axis=0, dtype=np.float64)
    along = rows @ (whitening @ vectors).astype(np.float32)
    tried = [_refined(rows, total, tail, precision) for k in range(along.shape[1]) for tail in _tails(along[:, k])]
    return max(tried, key=lambda split: split.distance)


def _fewest(n: int) -> int:
    """Rows below which a component is a handful of rare inputs, whose distance says nothing."""
    return max(_FEWEST, round(_FEWEST_SHARE * n))


def _tails(values: NDArray[Any]) -> list[NDArray[np.bool_]]:
    """Return both tails of each size that a component may start from."""
    n, order = len(values), np.argsort(values, kind="stable")
    found = []
    for share in _START_SHARES:
        size = max(_fewest(n), round(share * n))
        for rows in (order[:size], order[-size:]):
            tail = np.zeros(n, bool)
            tail[rows] = True
            found.append(tail)
    return found


def _refined(
    rows: NDArray[Any], total: NDArray[np.float64], minority: NDArray[np.bool_], precision: NDArray[np.float64]
) -> Split:
    """Alternate between two centres and the rows nearer to each, with the covariance of all classes."""
    for _ in range(_REFINEMENTS):
        _, _, score = _discriminant(rows, total, minority, precision)
        nearer = score > 0
        if nearer.sum() < _fewest(len(rows)) or nearer.mean() > MOST_SHARE or bool((nearer == minority).all()):
            break
        minority = nearer
    line, offset, score = _discriminant(rows, total, minority, precision)
    values = rows @ line
    inside, outside = values[minority], values[~minority]
    within = (inside.var() * len(inside) + outside.var() * len(outside)) / len(values)
    distance = abs(inside.mean() - outside.mean()) / np.sqrt(max(float(within), 1e-24))
    return Split(distance=float(distance), minority=minority, score=score, line=line, offset=offset)


def _discriminant(
    rows: NDArray[Any], total: NDArray[np.float64], minority: NDArray[np.bool_], precision: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float, NDArray[np.float64]]:
    share = minority.mean()
    part = np.asarray(minority.astype(np.float32) @ rows, np.float64)
    small, large = part / minority.sum(), (total - part) / (~minority).sum()
    line = precision @ (small - large)
    # the product with all rows is the cost of a scan: in single precision, as the rows are
    narrow = line.astype(np.float32)
    offset = float(np.log(share / (1 - share)) - (small + large) @ line / 2)
    return narrow, offset, np.asarray(rows @ narrow + offset, np.float64)
