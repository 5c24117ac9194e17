"""How little poison it takes: attacks on the owner's own training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.finding import Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.poisons.planting import Poisoned, badnets, blended, clean_label, label_flips
from redan.kernels.statistics import wilson
from redan.subjects.fit import check_fit
from redan.subjects.recipes import Pace, recipe_of
from redan.threats.poisoning.reading import BATCH, class_name
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject

ATTACKS: Mapping[str, Callable[..., Poisoned]] = {
    "badnets": badnets,
    "blended": blended,
    "clean-label": clean_label,
    "label-flip": label_flips,
}
SUCCEEDS = 0.5
"""Success from which an attack counts as one."""
MOST_RATES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonSimulationParams(core_params.Params):
    """Parameters of the simulation.

    Attributes:
        attack: what the attacker does.
        rates: shares of poisoned rows, rising, with commas between.
        target: class that the attacker wants.
        epochs: passes over the data, where the recipe is Redan's own.
    """

    attack: Literal["badnets", "blended", "clean-label", "label-flip"] = "badnets"
    rates: str = "0.001,0.003,0.01,0.03"
    target: int = 0
    epochs: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One training at one rate: rows poisoned, hits among attacked test rows, right answers among clean ones."""

    rate: float
    rows: int
    hits: int
    attacked: int
    right: int
    clean: int


@probe(
    Spec(
        id="RDN-POI-013",
        name="poison-simulation",
        threat="poisoning",
        title="How little poison it takes",
        source="Gu et al. 2017; Chen et al. 2017; Turner, Tsipras & Madry 2019; Biggio, Nelson & Laskov 2012",
        needs=("labels",),
        data=("train", "test"),
        cost="minutes",
        references=("arxiv:1708.06733", "arxiv:1712.05526", "arxiv:1912.02771", "atlas:AML.T0020", "owasp:ML02"),
        default=False,
    )
)
class PoisonSimulation:
    """Poisons the training data at rising rates, trains, and measures what the attacker gets.

    What it measures:
        The least share of poisoned rows, among those tried, with which at least half of the attacked test rows get the
        class that the attacker wants; the success at every rate, with the clean accuracy beside it.

    Why it matters:
        Whether somebody who adds a hundred rows can plant a backdoor depends on model, data and training. A figure of
        one's own says how much an outsider may contribute before someone looks.

    How:
        BadNets stamps a square on rows of other classes; blended mixes a noise picture in; clean-label stamps rows of
        the target class that were made hard, and changes no label; label-flip gives rows of other classes the target's
        label. The owner's training function trains on the result; where none is given the same layers are trained from
        fresh weights. Success counts test rows of other classes: with the trigger, answered as the target; for
        label-flip, without one.

    Shapes:
        train and test: (n, …) images or rows of a table, with (n,) classes.

    Units:
        Shares of rows.

    Error of the estimate:
        Wilson 95 % intervals over the attacked test rows. One training a rate: another seed moves the curve, most where
        it is steep. The interval of the least rate runs from the highest rate below it that failed.

    Cost:
        One training a rate.

    Sources:
        Gu, Dolan-Gavitt & Garg 2017; Chen et al. 2017; Turner, Tsipras & Madry 2019; Biggio, Nelson & Laskov 2012.

    Limits:
        Four known attacks with one trigger each: an attacker who knows the training may need less. A rate that is not
        tried is not known.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = PoisonSimulationParams

    def run(
        self,
        subject: Subject,
        inputs: Inputs,
        params: PoisonSimulationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Train at each rate and yield one finding.

        Raises:
            UsageError: the rates are no rising shares, or there is no such class.
            ShapeMismatch: the rows do not fit the model, or are not of two classes.
        """
        rates = _rates(params.rates)
        train, test = _fitting(subject, inputs, params)
        recipe, whose = recipe_of(subject, inputs, Pace(epochs=params.epochs))
        observe.started(self.spec.name, len(rates))
        points: list[Point] = []
        for done, rate in enumerate(rates):
            if budget.stop():
                break
            poisoned = _poisoned(train, rate, params, derive(seed, self.spec.id))
            try:
                made = recipe.fit(replace(train, x=poisoned.x, y=poisoned.y), budget=budget, seed=seed, observe=observe)
            except BudgetSpent:
                break
            points.append(_point(made, test, poisoned, rate, budget))
            observe.advanced(self.spec.name, done + 1)
        observe.finished(self.spec.name)
        if points:
            yield _finding(self.spec, subject, params, train, points, whose, partial=len(points) < len(rates))


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(word) for word in text.split(","))
    except ValueError:
        rates = ()
    rising = all(a < b for a, b in pairwise(rates))
    if not 1 <= len(rates) <= MOST_RATES or not rising or not all(0 < r <= 1 for r in rates):
        raise UsageError(
            f"rates={text!r}; expected up to {MOST_RATES} rising shares above 0 and up to 1",
            hint="rates=0.001,0.003,0.01",
        )
    return rates


def _fitting(subject: Subject, inputs: Inputs, params: PoisonSimulationParams) -> tuple[Dataset, Dataset]:
    train, test = inputs.role("train"), inputs.role("test")
    for data in (train, test):
        check_fit(subject, data)
        x: NDArray[Any] = np.asarray(data.x)
        if x.dtype.kind != "f" or not np.isfinite(x).all():
            raise ShapeMismatch(f"{data.name!r} holds {x.dtype}; expected finite floating-point numbers")
    if params.target not in train.y or (train.y == params.target).all() or (test.y == params.target).all():
        raise ShapeMismatch(
            f"class {params.target} and another one must occur among the training rows, another among the test rows",
            hint="choose a class with target=",
        )
    # rows in the order of their source, so that training does not depend on the order in which they came
    return tuple(data.rows(np.argsort(data.indices, kind="stable")) for data in (train, test))  # type: ignore[return-value]  # two of them


def _poisoned(train: Dataset, rate: float, params: PoisonSimulationParams, seed: int) -> Poisoned:
    known: dict[str, Any] = {"target": params.target}
    if params.attack != "label-flip":
        known["bounds"] = train.bounds or (float(train.x.min()), float(train.x.max()))
    try:
        return ATTACKS[params.attack](train.x, train.y, rate, seed, **known)
    except ValueError as err:
        raise ShapeMismatch(f"{train.name!r} cannot be poisoned: {err}") from err


def _point(made: Any, test: Dataset, poisoned: Poisoned, rate: float, budget: Budget) -> Point:
    others = test.rows(np.asarray(test.y) != poisoned.target)
    shown = others.x if poisoned.trigger is None else poisoned.trigger(others.x)
    hits = int((_answers(made, shown, budget) == poisoned.target).sum())
    right = int((_answers(made, test.x, budget) == test.y).sum())
    return Point(
        rate=rate, rows=int(poisoned.mask.sum()), hits=hits, attacked=len(others), right=right, clean=len(test)
    )


def _answers(made: Any, x: NDArray[Any], budget: Budget) -> NDArray[Any]:
    budget.charge(queries=len(x))
    return np.concatenate([made.labels(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def _least(points: list[Point], *, partial: bool) -> Quantity:
    failed = [p.rate for p in points if p.hits < SUCCEEDS * p.attacked]
    enough = [p.rate for p in points if p.hits >= SUCCEEDS * p.attacked]
    value = min(enough, default=1.0)
    low = max((r for r in failed if r < value), default=0.0)
    return Quantity(
        name="least_poison_rate",
        value=value,
        unit="fraction",
        n=len(points),
        low=low,
        high=value,
        better="higher",
        partial=partial,
    )


def _curve(name: str, points: list[Point], counts: list[tuple[int, int]]) -> Series:
    bands = [wilson(k, n) for k, n in counts]
    return Series(
        name=name,
        x=tuple(p.rate for p in points),
        y=tuple(k / n for k, n in counts),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=tuple(n for _, n in counts),
        x_unit="share of training rows",
        y_unit="fraction",
    )


def _finding(
    spec: Spec,
    subject: Subject,
    params: PoisonSimulationParams,
    train: Dataset,
    points: list[Point],
    whose: str,
    *,
    partial: bool,
) -> Finding:
    least = _least(points, partial=partial)
    wanted = class_name(subject, train, params.target)
    reached = any(p.hits >= SUCCEEDS * p.attacked for p in points)
    title = (
        f"{params.attack} with {least.value:.2%} of the training rows turns half of the test rows into {wanted}"
        if reached
        else f"{params.attack} with up to {points[-1].rate:.2%} of the training rows does not turn half into {wanted}"
    )
    lines: tuple[tuple[Scalar, ...], ...] = tuple(
        (f"{p.rate:g}", p.rows, round(p.hits / p.attacked, 4), round(p.right / p.clean, 4)) for p in points
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=title,
        severity=THREAT.severity(least),
        confidence="likely",
        detail=f"One training a rate; {whose}. Clean accuracy stands beside each success.",
        params=params.as_dict(),
        quantities=(least,),
        series=(
            _curve("success_by_rate", points, [(p.hits, p.attacked) for p in points]),
            _curve("accuracy_by_rate", points, [(p.right, p.clean) for p in points]),
        ),
        tables=(Table(name="poison_rates", columns=("rate", "rows", "attack success", "clean accuracy"), rows=lines),),
        locations=(Location(uri="train data"),),
        remedies=("look at contributed rows before training: RDN-POI-201", "RDN-POI-101"),
        references=spec.references,
    )
