"""What a client may ask, and what that many answers are worth to a thief."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.core.finding import Quantity

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.probe import Spec

DAY_S = 86_400.0
MOST_POINTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured copy: so many queries bought it, and so faithful it was, with its 95 % interval."""

    queries: float
    fidelity: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What holds for one model.

    Attributes:
        subject: name of the model.
        model: its digest.
        distinct: different inputs that a client may ask about in a period.
        queries: queries that it may ask in a period, equal ones too; None: any number.
        period_s: how long a period is.
        curve: what queries about inputs of the model's own kind buy, rising in queries; empty: not measured.
    """

    subject: str
    model: str
    distinct: int
    queries: int | None = None
    period_s: float = 30 * DAY_S
    curve: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no allowance.

        Raises:
            UsageError: numbers that mean nothing.
        """
        rising = all(a.queries < b.queries for a, b in pairwise(self.curve))
        shares = all(0 <= p.low <= p.fidelity <= p.high <= 1 and p.queries > 0 and p.n > 0 for p in self.curve)
        if self.distinct < 1 or (self.queries is not None and self.queries < 1) or not 0 < self.period_s < math.inf:
            raise UsageError(
                f"distinct={self.distinct}, queries={self.queries}, period_s={self.period_s:g}; expected at least 1"
            )
        if not rising or not shares or len(self.curve) > MOST_POINTS:
            raise UsageError("the curve of copies must rise in queries and hold shares")

    def about(self, spec: Spec) -> dict[str, Any]:
        """Return the words of the monitor's file."""
        return {"rule": spec.id, "reads": "inputs", **asdict(self)}

    @classmethod
    def restored(cls, about: Mapping[str, Any], spec: Spec, model: str) -> Allowance:
        """Read back what `about` gave.

        Raises:
            EvidenceError: it was made for another model.
            Unreadable: the file says something else.
        """
        try:
            if about["rule"] != spec.id:
                raise ValueError(f"it is {about['rule']}, not {spec.id}")
            found = cls(
                subject=str(about["subject"]),
                model=str(about["model"]),
                distinct=int(about["distinct"]),
                queries=None if about["queries"] is None else int(about["queries"]),
                period_s=float(about["period_s"]),
                curve=tuple(_point(**point) for point in about["curve"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError, UsageError) as err:
            raise Unreadable(f"this is no {spec.name} monitor: {type(err).__name__} {err}") from err
        if found.model != model:
            raise EvidenceError(
                f"the {spec.name} monitor was made for model {found.model[:16]}, and this is {model[:16]}",
                hint="make one for this model",
            )
        return found


def _point(*, queries: Any, fidelity: Any, low: Any, high: Any, n: Any) -> Point:
    return Point(queries=float(queries), fidelity=float(fidelity), low=float(low), high=float(high), n=int(n))


def curve_of(finding: Finding) -> tuple[Point, ...]:
    """Return the best copy at each number of queries that a finding of ``knockoff`` or ``jbda`` shows.

    Raises:
        UsageError: the finding shows no curve of fidelity.
    """
    points = [
        Point(queries=float(x), fidelity=y, low=low, high=high, n=n)
        for series in finding.series
        if series.name.startswith("fidelity_")
        for x, y, low, high, n in zip(series.x, series.y, series.low, series.high, series.n, strict=True)
    ]
    if not points:
        raise UsageError(
            f"the finding of {finding.rule} shows no curve of fidelity", hint="redan attack --probe knockoff"
        )
    return best_of(points)


def best_of(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the most faithful copy of each number of queries, in rising order; more queries never buy less."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.queries, -p.fidelity)):
        if found and found[-1].queries == point.queries:
            continue
        better = found[-1] if found and found[-1].fidelity > point.fidelity else point
        found.append(
            Point(queries=point.queries, fidelity=better.fidelity, low=better.low, high=better.high, n=better.n)
        )
    return tuple(found)


def worth(curve: Sequence[Point], queries: float) -> Quantity | None:
    """Return the fidelity that a number of queries buys, between measured copies by the logarithm of queries.

    Before the first and after the last copy the nearest one is taken; None when nothing was measured.
    """
    if not curve:
        return None
    before = max((p for p in curve if p.queries <= queries), key=lambda p: p.queries, default=curve[0])
    after = min((p for p in curve if p.queries >= queries), key=lambda p: p.queries, default=curve[-1])
    part = 0.0
    if before.queries < after.queries:
        part = math.log(queries / before.queries) / math.log(after.queries / before.queries)
    value, low, high = (
        (1 - part) * a + part * b
        for a, b in ((before.fidelity, after.fidelity), (before.low, after.low), (before.high, after.high))
    )
    n, beyond = min(before.n, after.n), queries > curve[-1].queries
    return Quantity(
        name="fidelity", value=value, unit="fraction", n=n, low=low, high=high, better="lower", partial=beyond
    )


def budget_for(curve: Sequence[Point], fidelity: float) -> int:
    """Return the most queries whose copy stays below a fidelity with the upper end of its interval.

    The first measured number of queries when even that buys more, the last one when none does: nothing is known beyond.

    Raises:
        UsageError: no curve, or the fidelity is no share.
    """
    if not curve or not 0 < fidelity < 1:
        raise UsageError(f"{len(curve)} measured copies and a fidelity of {fidelity:g}; expected some, and a share")
    for before, after in pairwise(curve):
        if before.high < fidelity <= after.high:
            part = (fidelity - before.high) / (after.high - before.high)
            factor = math.exp(part * math.log(after.queries / before.queries))
            return max(1, math.floor(before.queries * factor * (1 - 1e-9)))
    return int(curve[0].queries if curve[0].high >= fidelity else curve[-1].queries)
