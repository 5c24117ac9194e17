"""All columns of two samples at once: each column's effect, p-values adjusted for their number, one overall AUC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.kernels.drift.columns import LEAST_ROWS, Effect, categorical, missing, numeric
from redan.kernels.drift.domain import Separation, separation
from redan.kernels.drift.tails import holm

LEVEL = 0.05
"""Chance of one false alarm or more over all columns, when nothing has changed."""
MOST_CATEGORIES = 200
"""Further categories, rarest first, count as one."""
MOST_COLUMNS_TOGETHER = 256
"""Columns that the classifier sees."""
Size = Literal["none", "small", "medium", "large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One column in both samples.

    Attributes:
        name: of the column.
        text: whether its values are categories.
        reference: (n,) values; NaN, or an empty text, where missing.
        current: (m,) values.
        missing: (n,) and (m,) bool.
    """

    name: str
    text: bool
    reference: NDArray[Any]
    current: NDArray[Any]
    missing: tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far one column lies apart.

    Attributes:
        name: of the column.
        effect: the measure.
        p_adjusted: Holm's, over all tests of the comparison.
        verdict: the size of the effect, or none when it may be chance.
    """

    name: str
    effect: Effect
    p_adjusted: float
    verdict: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found.

    Attributes:
        drifts: one for each column, and one more where cells are missing.
        overall: how well a classifier tells the samples apart; None when too few rows or no column can be seen.
        overall_adjusted: its p-value, adjusted together with all others.
        overall_verdict: its size, or none when it may be chance.
        too_few: columns with fewer than `LEAST_ROWS` values on a side.
    """

    drifts: tuple[Drift, ...]
    overall: Separation | None
    overall_adjusted: float
    overall_verdict: Size
    too_few: tuple[str, ...]


def compare(samples: Sequence[Sample], *, seed: int, level: float = LEVEL) -> Comparison:
    """Compare two samples column by column and as a whole."""
    rng = np.random.default_rng(seed)
    effects: list[tuple[str, Effect]] = []
    too_few = []
    for sample in samples:
        gone = [int(m.sum()) for m in sample.missing]
        n, m = (len(x) for x in sample.missing)
        if min(n - gone[0], m - gone[1]) < LEAST_ROWS:
            too_few.append(sample.name)
        else:
            effects.append((sample.name, _effect(sample, rng)))
        if any(gone) and min(n, m) >= LEAST_ROWS:
            effects.append((sample.name, missing((gone[0], n), (gone[1], m))))
    overall = _together(samples, rng)
    p_values = [e.p_value for _, e in effects] + ([overall.p_value] if overall else [])
    adjusted = holm(p_values)
    drifts = tuple(
        Drift(name=name, effect=e, p_adjusted=p, verdict=e.size if p < level else "none")
        for (name, e), p in zip(effects, adjusted, strict=False)
    )
    last = adjusted[-1] if overall else 1.0
    verdict: Size = overall.size if overall and last < level else "none"
    return Comparison(
        drifts=drifts, overall=overall, overall_adjusted=last, overall_verdict=verdict, too_few=tuple(too_few)
    )


def _effect(sample: Sample, rng: np.random.Generator) -> Effect:
    one, two = (x[~gone] for x, gone in zip((sample.reference, sample.current), sample.missing, strict=True))
    if not sample.text:
        return numeric(one, two, rng)
    counts = _counted(one, two)
    return categorical(counts[0], counts[1], rng)


def _counted(one: NDArray[Any], two: NDArray[Any]) -> NDArray[Any]:
    """Count (2, k) the categories of two samples, most frequent first."""
    tables: list[Mapping[Any, int]] = []
    for words in (one, two):
        counts: dict[Any, int] = {}
        for word in words.tolist():
            counts[word] = counts.get(word, 0) + 1
        tables.append(counts)
    both = {key: tables[0].get(key, 0) + tables[1].get(key, 0) for key in {**tables[0], **tables[1]}}
    order = sorted(both, key=lambda key: (-both[key], key))
    kept, rest = order[:MOST_CATEGORIES], order[MOST_CATEGORIES:]
    return np.array([[t.get(key, 0) for key in kept] + [sum(t.get(key, 0) for key in rest)] for t in tables])


def _together(samples: Sequence[Sample], rng: np.random.Generator) -> Separation | None:
    """Let the classifier see numbers with their middle value where missing, and the most frequent categories."""
    columns: list[list[NDArray[Any]]] = [[], []]
    for sample in samples:
        for side, part in enumerate(_numbers(sample)):
            columns[side] += part
    if not columns[0] or min(len(columns[0][0]), len(columns[1][0])) < LEAST_ROWS:
        return None
    one, two = (np.column_stack(side[:MOST_COLUMNS_TOGETHER]) for side in columns)
    return separation(one, two, rng)


def _numbers(sample: Sample) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    sides = (sample.reference, sample.current)
    if sample.text:
        words, counts = np.unique(sample.reference.astype(str), return_counts=True)
        frequent = words[np.argsort(-counts, kind="stable")][:8]
        ones = [[(x == word).astype(np.float64) for word in frequent] for x in sides]
        return ones[0], ones[1]
    known = sample.reference[~sample.missing[0]]
    middle = float(np.median(known)) if len(known) else 0.0
    filled = [np.where(gone, middle, x) for x, gone in zip(sides, sample.missing, strict=True)]
    return [filled[0]], [filled[1]]
