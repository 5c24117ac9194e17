"""Costly inputs: one request that takes as long as many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.availability.meters import EXACT, METERS
from redan.threats.evasion.sampling import chosen
from redan.threats.evasion.setting import box
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.availability.breeding import Found
    from redan.kernels.availability.comparing import Compared, Median

    class Labelled(Subject, Labels):
        """A subject with labels."""


EFFORT = {"quick": (4, 12, 15, 11), "standard": (12, 24, 30, 25), "deep": (60, 40, 60, 51)}
"""Plan → (generations, candidates a generation, inputs as they come, rounds of comparison)."""
READINGS = 3
"""Readings of a candidate, of which the least counts: noise only adds."""
AGAIN = 6
"""Dearest candidates that are read again before one is chosen."""
USUAL = 9
"""Texts that say what is usual while others grow."""
ENOUGH_S = 0.3
ENOUGH_RATIO = 300.0
"""A text is grown no further at this cost, or this many times the usual one."""
REMEDIES = (
    "bound length, depth and size of inputs before they reach the model",
    "limit the time and memory of one request, and the rate of each client, where the model is served",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostlyInputsParams(core_params.Params):
    """Parameters of the search for costly inputs.

    Attributes:
        meter: what is read: CPU time, waiting time, or lines of Python executed; waiting time for endpoints and CPU
            time for what runs here when ``auto``.
        longest: most characters of a text; twice the longest of the data, at least 256, when 0.
        plan: how long to search: quick, standard or deep.
    """

    meter: Literal["auto", "cpu", "wall", "lines"] = "auto"
    longest: int = 0
    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Costs:
    """Reads what one input costs.

    Attributes:
        subject: who is asked.
        meter: name of the meter.
        budget: charged for each question.
        kind: type of the array that holds an input.
        asked: how many questions so far, as the one item of a list.
    """

    subject: Labelled
    meter: str
    budget: Budget
    kind: Any
    asked: list[int] = field(default_factory=lambda: [0])

    def once(self, value: Any) -> float:
        """Return one reading."""
        batch = np.array([value], dtype=self.kind)
        self.budget.charge(queries=1)
        self.asked[0] += 1
        return METERS[self.meter][0](lambda: self.subject.labels(batch))

    def least(self, value: Any) -> float:
        """Return the least of some readings; one where the meter is exact or the first is long enough."""
        first = self.once(value)
        if self.meter in EXACT or (METERS[self.meter][1] == "s" and first > ENOUGH_S):
            return first
        return min(first, *(self.once(value) for _ in range(READINGS - 1)))


@probe(
    Spec(
        id="RDN-EVA-054",
        name="costly-inputs",
        threat="evasion",
        title="Cost of the dearest input found, against usual ones",
        source="Shumailov et al. 2021, EuroS&P, section 4.2 (genetic search by measured cost)",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0029", "atlas:AML.T0034", "cwe:400", "cwe:1333", "arxiv:2006.03463"),
        default=False,
    )
)
class CostlyInputs:
    """Measures how many times the usual cost one chosen input can cause.

    What it measures:
        The ratio of cost between the dearest input that a search found and inputs as they come: CPU time in this
        process, waiting time of an endpoint, or executed lines of Python.

    Why it matters:
        Whoever can make one request as dear as a thousand needs no botnet. Models with loops, early exits, neighbours
        to visit or texts to split have such inputs; a plain network has none.

    How:
        Numbers: a genetic search by measured cost, from inputs as they come and from plain extremes. Texts: one piece
        repeated, growing slowly, with and without an end that cannot match. The dearest few are read again, and the
        first of them is then compared with usual inputs in turns; what the search read is not used in the result.

    Shapes:
        x: (n, …) numbers, or (n,) texts; y is not used.

    Units:
        cost_ratio: times the usual cost. Costs in seconds or lines.

    Error of the estimate:
        Median of paired ratios over rounds with its interval by order statistics. A ratio whose interval reaches 1 is
        noise and is not judged. The value is a lower bound: a longer search can only find dearer inputs.

    Cost:
        About 1100 questions with the standard plan, one input each.

    Sources:
        Shumailov, Zhao, Bates, Papernot, Mullins & Anderson 2021, "Sponge examples: energy-latency attacks on neural
        networks"; Davis, Coghlan, Servant & Lee 2018, "The impact of regular expression denial of service in practice".

    Limits:
        Values stay within the bounds of the data. A single call cannot be interrupted: texts grow slowly for that
        reason, numbers do not. Times depend on the machine and differ between runs; lines do not.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CostlyInputsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: CostlyInputsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Search, compare, and yield one finding."""
        if params.longest < 0:
            raise UsageError(f"longest is {params.longest}; expected a number of characters, or 0")
        data = _usual(inputs.role("test"), EFFORT[params.plan][2])
        if why := budget.stop():
            raise BudgetSpent(why)
        kind = data.x.dtype if _numeric(data) else object
        costs = Costs(subject=subject, meter=_meter(subject, params.meter), budget=budget, kind=kind)
        observe.started("costly-inputs")
        for value in data.x[:3]:
            costs.once(value)  # what is set up once must not be taken for the first input's cost
        found = _search(costs, data, params, derive(seed, self.spec.id))
        if not found.candidates:
            raise BudgetSpent(found.reason)
        dearest = _dearest(costs, found)
        compared = _compare(costs, dearest, list(data.x), EFFORT[params.plan][3], cut=bool(found.reason))
        observe.finished("costly-inputs", f"{compared.ratio.value:.3g} times the usual cost")
        yield _finding(subject, params, data, found, compared, dearest, costs)


def _numeric(data: Dataset) -> bool:
    return bool(np.asarray(data.x).dtype.kind in "biuf")


def _usual(data: Dataset, most: int) -> Dataset:
    """Return the inputs as they come: numbers, or texts.

    Raises:
        ShapeMismatch: neither.
    """
    x = np.asarray(data.x)
    if _numeric(data):
        return chosen(data, most)
    if not len(x) or x.ndim != 1 or not all(isinstance(value, str) for value in x):
        raise ShapeMismatch(f"{data.name!r} holds values of type {x.dtype}; expected numbers or texts")
    order = np.argsort(data.indices, kind="stable")[:most]
    return replace(data, x=x[order].astype(object), y=np.asarray(data.y)[order], indices=data.indices[order])


def _meter(subject: Subject, asked: str) -> str:
    if asked != "auto":
        return asked
    return "wall" if subject.ref.kind in ("http", "chat") else "cpu"


def _search(costs: Costs, data: Dataset, params: CostlyInputsParams, seed: int) -> Found:
    from redan.kernels.availability.breeding import Breeding, breed
    from redan.kernels.availability.pumping import Pumping, pump

    generations, population, _, _ = EFFORT[params.plan]
    if _numeric(data):
        low, high = box(costs.subject, data)
        breeding = Breeding(generations=generations, population=population, low=low, high=high)
        return breed(costs.least, data.x, breeding, seed=seed, stop=costs.budget.stop)
    texts = [str(text) for text in data.x]
    usual = float(np.median([costs.least(text) for text in texts[:USUAL]]))
    longest = params.longest or max(256, 2 * max(map(len, texts)))
    enough = usual * ENOUGH_RATIO if METERS[costs.meter][1] != "s" else min(ENOUGH_S, usual * ENOUGH_RATIO)
    return pump(costs.least, texts, Pumping(longest=longest, enough=max(enough, 4 * usual)), stop=costs.budget.stop)


def _dearest(costs: Costs, found: Found) -> Any:
    """Return the candidate that is dearest when the best few are read again."""
    return max(found.candidates[:AGAIN], key=costs.least)


def _compare(costs: Costs, dearest: Any, usual: Sequence[Any], rounds: int, *, cut: bool) -> Compared:
    from redan.kernels.availability.comparing import LEAST_ROUNDS, compare

    reading: Callable[[Any], float] = costs.once if costs.meter in EXACT else costs.least
    return compare(reading, dearest, usual, rounds=LEAST_ROUNDS if cut else rounds)


def _finding(
    subject: Labelled,
    params: CostlyInputsParams,
    data: Dataset,
    found: Found,
    compared: Compared,
    dearest: Any,
    costs: Costs,
) -> Finding:
    unit, partial = METERS[costs.meter][1], bool(found.reason)
    ratio = _quantity("cost_ratio", compared.ratio, "ratio", partial=partial)
    judged = THREAT.severity(ratio)
    detail = (
        f"The dearest input found costs {compared.chosen.value:.3g} {unit}, usual ones {compared.usual.value:.3g} "
        f"{unit}: {ratio.value:.3g} times as much (95 % interval {ratio.low:.3g} to {ratio.high:.3g} over {ratio.n} "
        f"rounds in turns), {'beyond' if compared.beyond_noise else 'within'} noise."
    )
    return Finding(
        rule=CostlyInputs.spec.id,
        threat=CostlyInputs.spec.threat,
        subject=subject.ref.name,
        title=f"One chosen input costs {ratio.value:.3g} times as much as a usual one",
        severity=judged if compared.beyond_noise else Severity.INFO,
        # an interval from below 1 to a ratio that would matter decides nothing
        status="open" if compared.beyond_noise or judged == Severity.INFO else "inconclusive",
        detail=f"{detail} The search was cut short: {found.reason}." if partial else detail,
        params={**params.as_dict(), "meter": costs.meter},
        quantities=(
            ratio,
            _quantity("dearest_cost", compared.chosen, unit, partial=partial),
            _quantity("usual_cost", compared.usual, unit),
            _spent(costs),
        ),
        series=(_progress(found, unit),),
        locations=(Location(uri=data.name),),
        evidence=(_evidence(dearest),),
        remedies=REMEDIES,
        references=CostlyInputs.spec.references,
    )


def _quantity(name: str, median: Median, unit: str, *, partial: bool = False) -> Quantity:
    return Quantity(
        name=name,
        value=median.value,
        unit=unit,
        n=median.n,
        low=median.low,
        high=median.high,
        better="lower" if name == "cost_ratio" else "neither",
        partial=partial,
    )


def _spent(costs: Costs) -> Quantity:
    count = float(costs.asked[0])
    return Quantity(name="queries", value=count, unit="count", n=int(count), low=count, high=count)


def _progress(found: Found, unit: str) -> Series:
    """Return the highest cost read so far after each generation; single readings, so noisy."""
    return Series(
        name="dearest_by_generation",
        x=tuple(float(i) for i in range(len(found.by_generation))),
        y=tuple(found.by_generation),
        x_unit="generation",
        y_unit=unit,
    )


def _evidence(dearest: Any) -> Evidence:
    if isinstance(dearest, str):
        return Evidence.of("dearest", dearest.encode("utf-8", "surrogatepass"), "text/plain", "the dearest text found")
    return Evidence.of("dearest", save_npy(np.asarray(dearest)), NPY, "the dearest input found")
