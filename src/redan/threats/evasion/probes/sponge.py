"""Sponge inputs: what a network must compute at most, counted rather than timed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.availability.comparing import LEAST_ROUNDS, Median
from redan.kernels.pictures import is_image, triptych
from redan.threats.evasion.sampling import chosen
from redan.threats.evasion.setting import box
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Subject
    from redan.kernels.availability.breeding import Found
    from redan.kernels.availability.operations import Tally

    class WhiteBox(Subject, Gradients):
        """A subject with gradients and its module."""

        @property
        def module(self) -> torch.nn.Module:
            """The network."""


EFFORT = {"quick": (10, 4, 10, 20), "standard": (40, 12, 20, 40), "deep": (200, 60, 40, 100)}
"""Plan → (gradient steps, generations, candidates a generation, inputs as they come)."""
STARTS = 8
"""Inputs that gradients move."""
REMEDIES = (
    "bound the number of steps that a model may take for one input, and answer with what it has then",
    "limit the time of one request where the model is served",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpongeParams(core_params.Params):
    """Parameters of the sponge.

    Attributes:
        plan: how long to search: quick, standard or deep.
    """

    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Soaked:
    """What was found.

    Attributes:
        usual: tallies of the inputs as they come.
        worst: tally of the dearest input.
        dearest: that input.
        found: the search.
        queries: samples that the model saw.
    """

    usual: list[Tally]
    worst: Tally
    dearest: NDArray[Any]
    found: Found
    queries: int


@probe(
    Spec(
        id="RDN-EVA-055",
        name="sponge",
        threat="evasion",
        title="Operations and density of activations that an input can cause at most",
        source="Shumailov et al. 2021, EuroS&P, sections 3.1, 4.2 and 4.3",
        needs=("gradients", "weights"),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0029", "atlas:AML.T0034", "cwe:400", "arxiv:2006.03463"),
        default=False,
    )
)
class Sponge:
    """Counts how much more a network computes for a chosen input than for usual ones.

    What it measures:
        cost_ratio: operations of the dearest input found over the median of usual ones, zeros included; exactly 1 for
        a network whose work does not depend on its input. energy_ratio: the same where zeros are skipped, as some
        accelerators do.

    Why it matters:
        Early exits, adaptive depth and sparse accelerators are fast for usual inputs only. An attacker sends others,
        and the battery, the queue or the bill is spent.

    How:
        Gradients of a smooth count of outputs above zero move some inputs; a genetic search goes on from there by
        exact counts. Every operation that torch dispatches is counted, one input at a time.

    Shapes:
        x: (n, …) floating point; y is not used. At least 6 inputs, since a median of fewer has no interval.

    Units:
        Ratios; operations are multiply-accumulates and elements produced.

    Error of the estimate:
        The counts are exact; the interval is that of the median of usual inputs. A lower bound of the true worst case.

    Cost:
        About 340 forward and 320 gradient samples with the standard plan.

    Sources:
        Shumailov et al. 2021, "Sponge examples: energy-latency attacks on neural networks".

    Limits:
        Counts are no seconds; the probe costly-inputs measures those. Fused recurrent kernels count as the elements
        they produce. Density is a mean of both factors, not of their pairs.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SpongeParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: SpongeParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Search for the dearest input and yield one finding."""
        data = chosen(inputs.role("test"), EFFORT[params.plan][3])
        if len(data) < LEAST_ROUNDS:
            raise ShapeMismatch(f"{data.name!r} has {len(data)} rows; expected at least {LEAST_ROUNDS} usual inputs")
        bounds = box(subject, data)
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("sponge")
        found = _measure(subject, data, params, bounds, budget, derive(seed, self.spec.id))
        observe.finished("sponge", f"{found.worst.work:.3g} operations")
        yield _finding(subject, params, data, found, bounds)


def _measure(
    subject: WhiteBox,
    data: Dataset,
    params: SpongeParams,
    bounds: tuple[float, float],
    budget: Budget,
    seed: int,
) -> Soaked:
    import torch

    from redan.kernels.availability.ascent import densify
    from redan.kernels.availability.breeding import Breeding, breed
    from redan.kernels.availability.operations import count

    steps, generations, population, _ = EFFORT[params.plan]
    low, high = bounds
    x = np.asarray(data.x, np.float32)
    asked = [0]

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        asked[0] += len(points)
        return subject.logits(points)

    def tally(value: NDArray[Any]) -> Tally:
        return count(model, torch.as_tensor(value[None]))

    # work and energy together: where the work is constant the energy decides
    def cost(value: NDArray[Any]) -> float:
        counted = tally(value)
        return counted.work + counted.energy

    usual = [tally(row) for row in x]
    starts = torch.as_tensor(x[:STARTS])
    moved = densify(model, subject.module, starts, low=low, high=high, steps=steps, stop=budget.stop).numpy()
    settings = Breeding(generations=generations, population=population, low=low, high=high)
    found = breed(cost, np.concatenate([moved, x]), settings, seed=seed, stop=budget.stop)
    dearest = found.candidates[0] if found.candidates else x[int(np.argmax([t.work + t.energy for t in usual]))]
    return Soaked(usual=usual, worst=tally(dearest), dearest=dearest, found=found, queries=asked[0])


def _finding(
    subject: WhiteBox, params: SpongeParams, data: Dataset, found: Soaked, bounds: tuple[float, float]
) -> Finding:
    partial = bool(found.found.reason)
    work = _ratio("cost_ratio", found.worst.work, [t.work for t in found.usual], partial=partial)
    energy = _ratio("energy_ratio", found.worst.energy, [t.energy for t in found.usual], partial=partial)
    detail = (
        f"The dearest input found makes the network compute {found.worst.work:.4g} operations, {work.value:.3g} times "
        f"the median of usual inputs (95 % interval {work.low:.3g} to {work.high:.3g}, n = {work.n}); where zeros are "
        f"skipped {energy.value:.3g} times ({energy.low:.3g} to {energy.high:.3g}). The dearest usual input "
        f"makes it compute {max(t.work for t in found.usual):.4g}."
    )
    count = float(found.queries)
    return Finding(
        rule=Sponge.spec.id,
        threat=Sponge.spec.threat,
        subject=subject.ref.name,
        title=f"One chosen input makes {work.value:.3g} times the usual operations, {energy.value:.3g} without zeros",
        severity=max(_judged(work), _judged(energy)),
        detail=f"{detail} The search was cut short: {found.found.reason}." if partial else detail,
        params=params.as_dict(),
        quantities=(
            work,
            energy,
            Quantity(name="queries", value=count, unit="count", n=len(data), low=count, high=count),
        ),
        series=(_progress(found),),
        tables=(_table(found),),
        locations=(Location(uri=data.name),),
        evidence=_evidence(data, found, bounds),
        remedies=REMEDIES,
        references=Sponge.spec.references,
    )


def _judged(ratio: Quantity) -> Severity:
    """Judge a ratio unless the usual inputs themselves reach it."""
    return THREAT.severity(ratio) if ratio.low > 1 else Severity.INFO


def _ratio(name: str, worst: float, usual: list[float], *, partial: bool) -> Quantity:
    """Return worst over the median of usual, with the interval that the median leaves."""
    middle = Median.of(usual)
    return Quantity(
        name=name,
        value=worst / middle.value,
        unit="ratio",
        n=middle.n,
        low=worst / middle.high,
        high=worst / middle.low,
        better="lower",
        partial=partial,
    )


def _progress(found: Soaked) -> Series:
    """Return the highest count so far after each generation, work and energy together."""
    values = found.found.by_generation
    return Series(
        name="dearest_by_generation",
        x=tuple(float(i) for i in range(len(values))),
        y=tuple(values),
        x_unit="generation",
        y_unit="operations",
    )


def _table(found: Soaked) -> Table:
    """Return operations and their density by kind, of usual inputs on average and of the dearest."""
    kinds = sorted({*found.worst.by_kind, *(kind for tally in found.usual for kind in tally.by_kind)})
    rows: list[tuple[Scalar, ...]] = []
    for kind in kinds:
        usual = np.mean([t.by_kind.get(kind, (0.0, 0.0)) for t in found.usual], axis=0)
        worst = found.worst.by_kind.get(kind, (0.0, 0.0))
        rows.append((kind, float(usual[0]), worst[0], _density(*usual.tolist()), _density(*worst)))
    heads = ("operation", "usual products", "dearest products", "usual density", "dearest density")
    return Table(name="operations", columns=heads, rows=tuple(rows))


def _density(products: float, live: float) -> float | None:
    return live / products if products else None


def _evidence(data: Dataset, found: Soaked, bounds: tuple[float, float]) -> tuple[Evidence, ...]:
    blobs = [Evidence.of("dearest", save_npy(found.dearest), NPY, "the dearest input found")]
    if is_image(found.dearest.shape):
        nearest = int(np.argmin([np.abs(row - found.dearest).sum() for row in np.asarray(data.x)]))
        picture = triptych(np.asarray(data.x[nearest]), found.dearest, low=bounds[0], high=bounds[1], gain=1.0)
        blobs.append(Evidence.of("triptych-0", picture, "image/png", "nearest usual input, dearest input, difference"))
    return tuple(blobs)
