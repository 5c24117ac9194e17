"""Answers with noise by OpenDP: whole numbers and exact samplers, so that no rounding of floats gives anybody away.

Numbers are moved onto a public grid of about a million steps before they are added, so sums, sensitivities and noise
are whole numbers; OpenDP draws them from exact discrete Laplace and Gaussian distributions with the operating system's
randomness. Nobody can seed that, on purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.kernels.dp.queries.asking import Query

_GRID_STEPS = 1 << 20
_MISS = 0.05
_FARTHEST = 64
_RANGE = "ask for an ε between 1e-6 and 100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One released number with the 95 % interval of its noise; every bar of a histogram has its own.

    Attributes:
        name: what it counts or measures.
        value: the noisy number.
        low: lower end; the number without noise lies within in 95 of 100 answers.
        high: upper end.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was released.

    Attributes:
        bars: the numbers.
        mechanism: how the noise was drawn, one phrase.
        rank_error: of a quantile: with 95 % probability its rank is no further than this from the rank of the best
            candidate; None for everything else.
    """

    bars: tuple[Bar, ...]
    mechanism: str
    rank_error: float | None = None


def answer(query: Query, values: NDArray[Any]) -> Answer:
    """Release an answer; it costs the query's ε and δ whatever it says.

    Args:
        query: the question.
        values: (n,) float64 without NaN, or (n,) words for a histogram over categories; for a count, any array with
            one entry a row. No person has more than ``query.rows_per_person`` entries.

    Raises:
        MissingDependency: OpenDP is not installed.
        UsageError: OpenDP cannot give this ε and δ.
    """
    return _ANSWERS[query.kind](_library(), query, values)


def require() -> None:
    """Make sure that answers can be given, before anybody pays for one.

    Raises:
        MissingDependency: OpenDP is not installed.
    """
    _library()


def first_rows(people: NDArray[Any], most: int) -> NDArray[np.bool_]:
    """Return a mask that keeps the first rows of each person, up to a number.

    Adding or removing a person changes no other person's rows, so what follows is protected person by person.

    Args:
        people: (n,) who each row is about.
        most: rows to keep of each.
    """
    _, codes = np.unique(people, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else ordered
    lengths = np.diff(np.append(starts, len(ordered)))
    places = np.arange(len(ordered)) - np.repeat(starts, lengths)
    kept = np.empty(len(ordered), np.bool_)
    kept[order] = places < most
    return kept


def _count(dp: Any, query: Query, values: NDArray[Any]) -> Answer:
    value, reach, mechanism = _noisy_count(dp, query, len(values), query.epsilon, query.delta, _MISS)
    return Answer(bars=(Bar(name="count", value=value, low=value - reach, high=value + reach),), mechanism=mechanism)


def _sum(dp: Any, query: Query, values: NDArray[Any]) -> Answer:
    low, high = query.bounds or (0.0, 0.0)
    value, reach, mechanism = _noisy_sum(dp, query, values, (low, high), query.epsilon, query.delta, _MISS)
    bar = Bar(name=f"sum of {query.column}", value=value, low=value - reach, high=value + reach)
    return Answer(bars=(bar,), mechanism=mechanism)


def _mean(dp: Any, query: Query, values: NDArray[Any]) -> Answer:
    """Half of the budget for the count, half for the sum of distances from the middle of the bounds."""
    low, high = query.bounds or (0.0, 0.0)
    middle, half = (low + high) / 2, (high - low) / 2
    epsilon, delta = query.epsilon / 2, query.delta / 2
    n, n_reach, mechanism = _noisy_count(dp, query, len(values), epsilon, delta, _MISS / 2)
    total, reach, _ = _noisy_sum(
        dp, query, np.clip(values, low, high) - middle, (-half, half), epsilon, delta, _MISS / 2
    )
    ends = [(total + a) / max(n + b, 1.0) for a in (-reach, reach) for b in (-n_reach, n_reach)]

    def within(distance: float) -> float:
        return float(min(max(middle + distance, low), high))

    bar = Bar(
        name=f"mean of {query.column}",
        value=within(total / max(n, 1.0)),
        low=within(min(ends)),
        high=within(max(ends)),
    )
    return Answer(bars=(bar,), mechanism=f"{mechanism}, half of ε for the count and half for the sum")


def _histogram(dp: Any, query: Query, values: NDArray[Any]) -> Answer:
    codes, names = _coded(query, values)
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.symmetric_distance()
    metric = "L2Distance<f64>" if query.delta else "L1Distance<i64>"
    known = list(range(len(names) - 1 if query.categories else len(names)))
    counting = space >> dp.t.then_count_by_categories(known, null_category=bool(query.categories), MO=metric)
    noisy, reach, mechanism = _with_noise(dp, query, counting, query.epsilon, query.delta, _MISS)
    released = noisy(codes)
    bars = [
        Bar(name=name, value=float(value), low=value - reach, high=value + reach)
        for name, value in zip(names, released, strict=True)
    ]
    return Answer(bars=tuple(bars), mechanism=mechanism)


def _coded(query: Query, values: NDArray[Any]) -> tuple[NDArray[np.int64], list[str]]:
    if query.categories:
        place = {name: code for code, name in enumerate(query.categories)}
        return np.array([place.get(str(v), -1) for v in values], np.int64), [*query.categories, "other"]
    low, high = query.bounds or (0.0, 0.0)
    edges = np.linspace(low, high, query.bins + 1)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, query.bins - 1)
    names = [f"{a:g} … {b:g}" for a, b in pairwise(edges)]
    return codes.astype(np.int64), names


def _quantile(dp: Any, query: Query, values: NDArray[Any]) -> Answer:
    low, high = query.bounds or (0.0, 0.0)
    candidates = np.linspace(low, high, query.candidates).tolist()
    space = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.symmetric_distance()

    def choosing(scale: float) -> Any:
        return space >> dp.m.then_private_quantile(
            dp.max_divergence(), candidates=candidates, alpha=query.share, scale=scale
        )

    guess = 2 * query.rows_per_person / query.epsilon
    scale = _least(choosing, query.rows_per_person, query.epsilon, guess)
    value = float(choosing(scale)(np.clip(values, low, high)))
    # the exponential mechanism's tail, which permute-and-flip never exceeds: McKenna & Sheldon 2020, proposition 3
    rank_error = scale * (math.log(query.candidates) + math.log(1 / _MISS))
    bar = Bar(name=f"quantile {query.share:g} of {query.column}", value=value, low=low, high=high)
    return Answer(bars=(bar,), mechanism="permute-and-flip over public candidates", rank_error=rank_error)


_ANSWERS: dict[str, Callable[[Any, Query, NDArray[Any]], Answer]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "histogram": _histogram,
    "quantile": _quantile,
}


def _noisy_count(
    dp: Any, query: Query, n_rows: int, epsilon: float, delta: float, miss: float
) -> tuple[float, float, str]:
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.symmetric_distance()
    counting = space >> dp.t.then_count(TO=dp.i64)
    noisy, reach, mechanism = _with_noise(dp, query, counting, epsilon, delta, miss)
    return float(noisy(np.zeros(n_rows, np.int64))), reach, mechanism


def _noisy_sum(
    dp: Any, query: Query, values: NDArray[Any], bounds: tuple[float, float], epsilon: float, delta: float, miss: float
) -> tuple[float, float, str]:
    step = max(abs(bounds[0]), abs(bounds[1])) / _GRID_STEPS
    low, high = (round(bound / step) for bound in bounds)
    whole = np.rint(np.clip(values, *bounds) / step).astype(np.int64)
    space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.symmetric_distance()
    adding = space >> dp.t.then_clamp((low, high)) >> dp.t.then_sum()
    noisy, reach, mechanism = _with_noise(dp, query, adding, epsilon, delta, miss)
    return float(noisy(whole)) * step, reach * step, mechanism


def _with_noise(dp: Any, query: Query, exact: Any, epsilon: float, delta: float, miss: float) -> tuple[Any, float, str]:
    """Return the exact transformation with noise, how far the noise reaches but for a share, and its name."""
    rows = query.rows_per_person
    if not delta:
        sensitivity = float(exact.map(rows))

        def laplace(scale: float) -> Any:
            return exact >> dp.m.then_laplace(scale=scale)

        scale = _least(laplace, rows, epsilon, sensitivity / epsilon)
        return laplace(scale), float(dp.discrete_laplacian_scale_to_accuracy(scale, miss)), "discrete Laplace noise"
    sensitivity = float(exact.map(rows))

    def gaussian(scale: float) -> Any:
        noisy = exact >> dp.m.then_gaussian(scale=scale)
        return dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(noisy), delta)

    guess = sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon
    scale = _least(gaussian, rows, (epsilon, delta), guess)
    # the exact tail is summed term by term; at such scales it is the continuous one within a step
    tail = dp.discrete_gaussian_scale_to_accuracy if scale < 1e4 else dp.gaussian_scale_to_accuracy
    return gaussian(scale), float(tail(scale, miss)) + 1, "discrete Gaussian noise"


def _least(make: Callable[[float], Any], rows: int, cost: Any, guess: float) -> float:
    """Return a scale that OpenDP proves to cost no more, at most 0.1 % above the least such."""
    if not 0 < guess < math.inf:
        raise UsageError(f"no noise gives {cost} here", hint=_RANGE)
    low, high = guess / 1.001, guess
    while not _proven(make(high), rows, cost):
        low, high = high, high * (1 + 1e-6 if high == guess else 2)
        if high > guess * _FARTHEST:
            raise UsageError(f"OpenDP proves no noise for {cost} here", hint=_RANGE)
    while low > guess / _FARTHEST and _proven(make(low), rows, cost):
        low, high = low / 1.5, low
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _proven(make(middle), rows, cost) else (middle, high)
    return high


def _proven(measurement: Any, rows: int, cost: Any) -> bool:
    try:
        return bool(measurement.check(rows, cost))
    except Exception as err:
        if type(err).__name__ != "OpenDPException":
            raise
        return False  # the cost overflows: far too little noise


def _library() -> Any:
    try:
        import opendp.prelude as dp
    except ModuleNotFoundError as err:
        raise MissingDependency.of("opendp", "privacy", "a private answer") from err
    dp.enable_features("contrib")
    return dp
