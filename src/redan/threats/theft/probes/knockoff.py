"""Knockoff nets: how faithful a copy a number of queries buys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys
from redan.kernels.statistics import wilson
from redan.subjects.failures import needing
from redan.threats.theft.asking import Answers, Field, Victim, field_of
from redan.threats.theft.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.kernels.attacks.watch import Watch
    from redan.kernels.extraction.stealing import Sampling, Theft
    from redan.threats.theft.asking import Asked

STEPS = (0.1, 0.3, 1.0)
"""Shares of the queries at which a copy is trained."""
FAITHFUL = 0.9
LEAST_QUERIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KnockoffParams(core_params.Params):
    """Parameters of the theft.

    Attributes:
        queries: most queries.
        sampling: how the thief chooses inputs: ``random``, ``active`` or ``both``.
        answers: what he gets: ``all`` that the model gives, with less beside it, or ``labels`` alone.
        clone_epochs: passes over the answers that train a copy.
        price_per_1000: what a thousand answers cost a customer, in any currency; 0 when not known.
    """

    queries: int = 1000
    sampling: Literal["random", "active", "both"] = "both"
    answers: Literal["all", "labels"] = "all"
    clone_epochs: int = 20
    price_per_1000: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way to steal, and the copies it gave."""

    sampling: Sampling
    answers: Answers
    sizes: tuple[int, ...]
    agrees: tuple[NDArray[np.bool_], ...]


@probe(
    Spec(
        id="RDN-THE-001",
        name="knockoff",
        threat="theft",
        title="Fidelity of a copy that a number of queries buys",
        source="Orekondy, Schiele & Fritz 2019, CVPR, sections 4.1 and 4.2; Pal et al. 2020, AAAI, section 4",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0024.002", "owasp:ML05", "arxiv:1812.02766"),
    )
)
class Knockoff:
    """Copies the model by asking it, and measures how often the copy answers alike.

    What it measures:
        Fidelity: the share of rows, none of them asked about, on which the copy answers like the model, at the number
        of queries given; and the smallest number at which it reaches 90 %.

    Why it matters:
        A copy takes the model's worth, its owner's licence and its training data's influence with it, and whoever has
        one can search it for adversarial examples in peace.

    How:
        The thief has inputs of his own, the reference data or else half of the test rows, and asks about them at random
        or where his last copy is least sure. A small network of his, of other layers than the model's, learns the
        answers. Thefts with rounded probabilities and with labels alone show what hiding answers is worth.

    Shapes:
        x: (n, …) numbers; at least 20 inputs for the thief and 20 to judge.

    Units:
        Shares of rows; queries.

    Error of the estimate:
        Wilson 95 % interval for the rows judged; one training of the copy, whose own luck is about a point.

    Cost:
        The queries, and the training of up to eight small networks.

    Sources:
        Orekondy, Schiele & Fritz 2019, "Knockoff nets: stealing functionality of black-box models", sections 4.1, 4.2;
        Pal et al. 2020, "ActiveThief", section 4.

    Limits:
        A thief with a better network, more inputs or more queries gets more: the figure is a lower bound on what can be
        copied. Inputs of the same kind as the model's are the worst case; give reference data of another kind to see
        less.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = KnockoffParams

    def run(
        self,
        subject: Asked,
        inputs: Inputs,
        params: KnockoffParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Steal in each way and yield one finding."""
        if params.queries < LEAST_QUERIES or params.clone_epochs < 1:
            raise UsageError(
                f"queries={params.queries}, clone_epochs={params.clone_epochs}; expected at least 10 and 1"
            )
        field = field_of(subject, inputs, budget, seed)
        ways = _ways(params, scores="scores" in subject.capabilities)
        observe.started(self.spec.name, len(ways))
        found: list[Way] = []
        with needing(self.spec.name):
            for sampling, answers in ways:
                if budget.stop():
                    break
                way = _stolen(self.spec, subject, field, params, sampling, answers, budget, seed)
                if way.agrees:
                    found.append(way)
                observe.advanced(self.spec.name, len(found), len(ways), f"{sampling}, {answers}")
        observe.finished(self.spec.name)
        if found:
            full = len(found) == len(ways) and len(found[-1].agrees) == len(found[-1].sizes)
            yield _finding(self.spec, subject, params, field, found, partial=not full)


def _ways(params: KnockoffParams, *, scores: bool) -> list[tuple[Sampling, Answers]]:
    samplings: tuple[Sampling, ...] = ("random", "active") if params.sampling == "both" else (params.sampling,)
    if not scores or params.answers == "labels":
        return [(sampling, "labels") for sampling in samplings]
    whole: list[tuple[Sampling, Answers]] = [(sampling, "scores") for sampling in samplings]
    return [*whole, (samplings[0], "rounded"), (samplings[0], "labels")]


def _stolen(
    spec: Spec,
    subject: Asked,
    field: Field,
    params: KnockoffParams,
    sampling: Sampling,
    answers: Answers,
    budget: Budget,
    seed: int,
) -> Way:
    from redan.kernels.extraction.clone import Pace
    from redan.kernels.extraction.stealing import knockoff
    from redan.threats.theft.copied import agreement

    left = budget.left_queries()
    most = min(params.queries, len(field.pool), params.queries if left is None else left)
    if most < LEAST_QUERIES:
        return Way(sampling=sampling, answers=answers, sizes=(), agrees=())
    sizes = tuple(sorted({max(LEAST_QUERIES, round(share * most)) for share in STEPS}))
    if answers != "scores" and params.answers == "all" and "scores" in subject.capabilities:
        sizes = sizes[-1:]
    theft: Theft = knockoff(
        Victim(subject, answers, field.classes, budget),
        np.asarray(field.pool.x),
        sizes,
        keys=sample_keys(seed, spec.id, field.pool.indices),
        sampling=sampling,
        pace=Pace(epochs=params.clone_epochs),
        seed=derive(seed, spec.id) % 2**31,
        watch=watch_of(budget),
    )
    whole = theft.copies[:-1] if budget.stop() else theft.copies
    if theft.cut:
        budget.end(theft.cut)
    return Way(
        sampling=sampling, answers=answers, sizes=sizes, agrees=tuple(agreement(one.net, field) for one in whole)
    )


def watch_of(budget: Budget) -> Watch:
    """Return what asks the budget while copies are trained."""
    from redan.kernels.attacks.watch import Watch

    return Watch(stop=budget.stop, progress=lambda stage, done, total: None)


def _finding(
    spec: Spec, subject: Asked, params: KnockoffParams, field: Field, found: list[Way], *, partial: bool
) -> Finding:
    from redan.threats.theft.copied import fidelity

    best = max(found, key=lambda way: float(way.agrees[-1].mean()))
    held = fidelity(best.agrees[-1], partial=partial)
    asked = best.sizes[len(best.agrees) - 1]
    reached = _reached(found)
    price = _price(params, asked)
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{asked:,} queries{price} buy a copy that answers alike on {held.value:.1%} of {held.n} other rows",
        severity=THREAT.severity(held),
        detail=(
            f"95 % interval {held.low:.1%} to {held.high:.1%}, by {best.sampling} sampling with {best.answers}. "
            + (
                f"{FAITHFUL:.0%} are reached with {reached:,} queries{_price(params, reached)}."
                if reached
                else f"{FAITHFUL:.0%} are not reached with {max(way.sizes[-1] for way in found):,} queries."
            )
            + " A thief with a better network or more queries gets more."
        ),
        params=params.as_dict(),
        quantities=(held, *_queries(reached)),
        series=tuple(_curve(way) for way in found if len(way.agrees) > 1),
        tables=(_table(found, params),),
        locations=(Location(uri=field.pool.name),),
        remedies=("bound the queries of each client: query-budget", "mark the model: redan own", "rounding"),
        references=spec.references,
    )


def _reached(found: list[Way]) -> int:
    """Return the fewest queries at which a copy is faithful, or 0."""
    sizes = [
        size
        for way in found
        for size, agrees in zip(way.sizes, way.agrees, strict=False)
        if float(agrees.mean()) >= FAITHFUL
    ]
    return min(sizes, default=0)


def _queries(reached: int) -> tuple[Quantity, ...]:
    if not reached:
        return ()
    value = float(reached)
    return (
        Quantity(name="queries_to_faithful", value=value, unit="queries", n=1, low=value, high=value, better="higher"),
    )


def _price(params: KnockoffParams, queries: int) -> str:
    return f" for {params.price_per_1000 * queries / 1000:.2f}" if params.price_per_1000 > 0 else ""


def _curve(way: Way) -> Series:
    shares = [float(agrees.mean()) for agrees in way.agrees]
    ends = [wilson(int(agrees.sum()), len(agrees)) for agrees in way.agrees]
    return Series(
        name=f"fidelity_{way.sampling}_{way.answers}",
        x=tuple(float(size) for size in way.sizes[: len(shares)]),
        y=tuple(shares),
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
        n=tuple(len(agrees) for agrees in way.agrees),
        x_unit="queries",
        y_unit="fraction",
    )


def _table(found: list[Way], params: KnockoffParams) -> Table:
    rows = []
    for way in found:
        agrees = way.agrees[-1]
        low, high = wilson(int(agrees.sum()), len(agrees))
        size = way.sizes[len(way.agrees) - 1]
        rows.append(
            (
                way.answers,
                way.sampling,
                size,
                round(100 * float(agrees.mean()), 1),
                f"{100 * low:.1f}\N{EN DASH}{100 * high:.1f}",
                round(params.price_per_1000 * size / 1000, 2) if params.price_per_1000 > 0 else None,
            )
        )
    return Table(
        name="ways_to_steal",
        columns=("answers", "sampling", "queries", "fidelity %", "95 %", "price"),
        rows=tuple(rows),
    )
