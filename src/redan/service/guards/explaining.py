"""Why a model answered so: Shapley values of columns or regions, sampled within a budget of queries.

Source: Strumbelj & Kononenko 2014, "Explaining prediction models and individual predictions with feature
contributions", algorithm 1, with each permutation also taken backwards (antithetic). The values always add up to the
difference between the answer and the answer to the background, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import UsageError
from redan.kernels.probabilities import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.service.models.served import Served

MOST_PARTS = 64
"""Columns or regions that are weighed; more columns are taken together, neighbours first."""
ROUNDS = 8
"""Permutations, each forwards and backwards, where the budget allows them."""
ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What is weighed.

    Attributes:
        of: (d,) part of each number of a flat row.
        names: of the parts.
    """

    of: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """An explanation.

    Attributes:
        label: class that is explained.
        score: its probability.
        base: its probability for the background.
        parts: names of columns or regions.
        values: (p,) what each part adds; they sum to score - base.
        errors: (p,) half widths of 95 % intervals over the permutations; infinite for one permutation.
        queries: rows that the model was asked.
    """

    label: int
    score: float
    base: float
    parts: tuple[str, ...]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    queries: int


def parts_of(shape: tuple[int, ...], columns: tuple[str, ...] = ()) -> Parts:
    """Return columns, or blocks of neighbours where there are more than `MOST_PARTS`; pictures in squares."""
    d = math.prod(shape)
    if len(shape) in (2, 3) and d > MOST_PARTS:
        height, width = shape[-2:]
        side = math.ceil(math.sqrt(height * width / MOST_PARTS))
        rows, cols = np.arange(height) // side, np.arange(width) // side
        across = int(cols[-1]) + 1
        one = rows[:, None] * across + cols[None, :]
        names = tuple(
            f"rows {r * side}-{min(height, (r + 1) * side) - 1}, columns {c * side}-{min(width, (c + 1) * side) - 1}"
            for r in range(int(rows[-1]) + 1)
            for c in range(across)
        )
        return Parts(of=np.broadcast_to(one, shape).reshape(-1).astype(np.int64), names=names)
    size = math.ceil(d / MOST_PARTS)
    known = columns if len(columns) == d else tuple(str(i) for i in range(d))
    n = math.ceil(d / size)
    blocks = [known[i * size : (i + 1) * size] for i in range(n)]
    names = tuple(block[0] if len(block) == 1 else f"{block[0]} to {block[-1]}" for block in blocks)
    return Parts(of=np.arange(d) // size, names=names)


def background_of(served: Served, sample: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the row that stands for "not known".

    It is the median of sample rows (n, …) where there are some, else the middle of what the schema or the bounds allow,
    else zeros.
    """
    if sample is not None and sample.shape[1:] == served.shape and len(sample):
        return np.asarray(np.median(sample, axis=0)).astype(served.dtype)
    flat = np.zeros(math.prod(served.shape))
    rules = {rule.name: rule for rule in served.schema.rules} if served.schema is not None else {}
    names = served.columns or tuple(rules)
    if rules and len(names) == len(flat):
        for i, rule in enumerate(rules[name] for name in names if name in rules):
            if rule.categories and rule.kind == "integer":
                flat[i] = float(rule.categories[0])
            elif rule.low is not None and rule.high is not None:
                flat[i] = (rule.low + rule.high) / 2
            if rule.kind == "integer":
                flat[i] = round(flat[i])
    elif served.detected is not None and served.detected.bounds is not None:
        flat[:] = sum(served.detected.bounds) / 2
    return flat.reshape(served.shape).astype(served.dtype)


def queries_of(n_parts: int, most: int) -> int:
    """Return how many rows an explanation of so many parts asks, with the budget in mind.

    Raises:
        UsageError: not even one permutation fits the budget.
    """
    a_round = 2 * (n_parts - 1)
    rounds = min(ROUNDS, (most - 2) // a_round) if a_round else 1
    if rounds < 1:
        raise UsageError(f"{n_parts} parts need {a_round + 2} queries; {most} are allowed")
    return 2 + rounds * a_round


def explain(
    answer: Callable[[NDArray[Any]], NDArray[np.float64]],
    row: NDArray[Any],
    background: NDArray[Any],
    parts: Parts,
    *,
    label: int | None,
    most_queries: int,
    seed: int,
) -> Explained:
    """Weigh the parts of one row.

    Args:
        answer: rows (n, …) to probabilities (n, k).
        row: what is explained, shape of one row.
        background: stands for "not known", same shape.
        parts: what is weighed.
        label: class to explain; None: the answered one.
        most_queries: rows that may be asked.
        seed: of the permutations; the same row and seed give the same values.

    Raises:
        UsageError: the budget is too small, or there is no such class.
    """
    p, rng = len(parts.names), np.random.default_rng(seed)
    queries = queries_of(p, most_queries)
    ends = answer(np.stack([background, row]))
    chosen = int(ends[1].argmax()) if label is None else label
    if not 0 <= chosen < ends.shape[1]:
        raise UsageError(f"class {chosen} is none of 0 to {ends.shape[1] - 1}")
    base, score = float(ends[0, chosen]), float(ends[1, chosen])
    if p == 1:
        values = np.array([[score - base]])
    else:
        orders = [rng.permutation(p) for _ in range((queries - 2) // (2 * (p - 1)))]
        values = np.stack([
            _gains(answer, row, background, parts, way, chosen, (base, score))
            for order in orders
            for way in (order, order[::-1])
        ])  # fmt: skip
    pairs = values.reshape(-1, 2, p).mean(axis=1) if len(values) > 1 else values
    spread = pairs.std(axis=0, ddof=1) / math.sqrt(len(pairs)) if len(pairs) > 1 else np.full(p, np.inf)
    return Explained(
        label=chosen, score=score, base=base, parts=parts.names, values=pairs.mean(axis=0), errors=1.96 * spread,
        queries=queries,
    )  # fmt: skip


def _gains(
    answer: Callable[[NDArray[Any]], NDArray[np.float64]],
    row: NDArray[Any],
    background: NDArray[Any],
    parts: Parts,
    order: NDArray[np.int64],
    label: int,
    ends: tuple[float, float],
) -> NDArray[np.float64]:
    """Return (p,) by how much the score moves as each part becomes known, in one order."""
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    known = rank[parts.of][None, :] < np.arange(1, len(order))[:, None]
    rows = np.where(known, row.reshape(1, -1), background.reshape(1, -1)).reshape(-1, *row.shape)
    told = [answer(rows[i : i + ROWS_AT_ONCE])[:, label] for i in range(0, len(rows), ROWS_AT_ONCE)]
    path = np.concatenate([[ends[0]], *told, [ends[1]]])
    found = np.empty(len(order))
    found[order] = np.diff(path)
    return found


def probabilities(served: Served) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Return what asks a version for probabilities.

    Raises:
        UsageError: it answers labels only.
    """
    kind = served.score_kind
    if not kind:
        raise UsageError(f"model {served.settings.name!r} answers labels only, and nothing explains them")

    def answer(rows: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(probabilities_of(np.asarray(served.answer(rows).scores), kind), np.float64)

    return answer
