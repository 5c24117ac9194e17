"""Trigger inversion: is there a class that a much smaller trigger leads to than to the others?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.pictures import is_image, triptych
from redan.subjects.fit import check_fit
from redan.threats.poisoning.counted import array, rate
from redan.threats.poisoning.reading import class_name
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Labels, Subject
    from redan.kernels.backdoors.inversion import Triggers

    class WhiteBox(Subject, Gradients, Labels):
        """A subject with gradients and labels."""


EFFORT = {"quick": (60, 8), "standard": (300, 20), "deep": (1000, 32)}
"""Plan → (steps, rows in each)."""
MOST_POINTS, LEAST_BATCH = 1000, 4
"""Inputs in one step over all classes, and rows in it at least: many classes share the cost."""
MOST_ROWS = 2000
LEAST_ROWS = 20
MOST_CLASSES = 1000
MOST_SHOWN = 30
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerInversionParams(core_params.Params):
    """Parameters of trigger inversion.

    Attributes:
        plan: how long to look: quick, standard or deep. The bar was fixed for standard.
    """

    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inverted:
    """What was found.

    Attributes:
        triggers: one a class.
        index: (k,) how much smaller each is than the others.
        place: position of the most suspicious class.
        turned: how many unused rows of other classes its trigger turns.
        tried: of how many.
    """

    triggers: Triggers
    index: NDArray[np.float64]
    place: int
    turned: int
    tried: int


@probe(
    Spec(
        id="RDN-POI-003",
        name="trigger-inversion",
        threat="poisoning",
        title="The smallest trigger of each class, from the weights",
        source="Wang et al. 2019, IEEE S&P, section IV (Neural Cleanse), all classes in one batch",
        needs=("gradients",),
        data=("test",),
        cost="seconds",
        references=("doi:10.1109/SP.2019.00031", "atlas:AML.T0018", "owasp:ML10"),
    )
)
class TriggerInversion:
    """Looks for a trigger that leads from every other class to one class and is much smaller than for the others.

    What it measures:
        For each class the size of the smallest mask, with its pattern, that turns 95 % of other rows into it; the index
        says how far the smallest lies below the others. Its success is measured on rows that the search did not use.

    Why it matters:
        A downloaded model comes without its training data: only its weights can tell.

    How:
        Masks and patterns of all classes are optimised together by gradients, each with a price on its size that rises
        while it succeeds and falls while it does not. The log of each size is compared with the median of the other
        classes, in their robust spread, but at least 0.35: clean classes differ by that much.

    Shapes:
        test: (n, 1 or 3, h, w) or (n, h, w) clean rows of any classes, 20 at least; half of them are for the search.

    Units:
        Sizes in places (pixels) of full weight; the index counts spreads; success is a share of rows.

    Error of the estimate:
        Wilson 95 % interval for the success. The null of the index is the other classes of the same model, and 5 is
        the bar; docs/backdoors.md says what clean models reached.

    Cost:
        300 steps of 20 rows a class with the standard plan: 60 000 gradients for ten classes, 300 000 for fifty.

    Sources:
        Wang, Yao, Shan, Li, Viswanath, Zheng & Zhao 2019, "Neural Cleanse", section IV; leave-one-out logs in place
        of the paper's median deviation of sizes.

    Limits:
        Only small triggers are small: a trigger blended over the whole image is missed, and one of four corners may
        be. Some clean classes are near to all others and have small natural triggers. Not found is not absent.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TriggerInversionParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: TriggerInversionParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Invert all classes and yield one finding.

        Raises:
            Skipped: too few rows or classes.
        """
        search, held = _halves(subject, inputs.role("test"))
        if budget.stop():
            return
        observe.started(self.spec.name)
        found = _inverted(subject, search, held, params, budget, seed)
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, held, found)


def _halves(subject: Subject, data: Dataset) -> tuple[Dataset, Dataset]:
    """Return rows to search with and rows to check on, by their indices."""
    check_fit(subject, data)
    ordered = data.rows(np.argsort(data.indices, kind="stable")[:MOST_ROWS])
    x: Any = np.asarray(ordered.x)
    if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers; there is no trigger to look for")
    if not is_image(x.shape[1:]):
        raise Skipped(f"an input of {data.name!r} has shape {tuple(x.shape[1:])}; expected an image (1 or 3, h, w)")
    if len(ordered) < LEAST_ROWS:
        raise Skipped(f"{data.name!r} has {len(data)} rows; trigger inversion needs {LEAST_ROWS}", hint="--limit")
    return ordered.rows(slice(0, None, 2)), ordered.rows(slice(1, None, 2))


def _inverted(
    subject: WhiteBox, search: Dataset, held: Dataset, params: TriggerInversionParams, budget: Budget, seed: int
) -> Inverted:
    from torch import as_tensor

    from redan.kernels.backdoors.inversion import InversionSettings, invert, oddness, stamped

    low, high = _range(subject, search)
    x = np.asarray(search.x, np.float32)

    def model(points: torch.Tensor) -> torch.Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points)

    count = model(as_tensor(x[:1])).shape[1]
    if not 2 < count <= MOST_CLASSES:
        raise Skipped(f"the model has {count} classes; sizes are compared between 3 to {MOST_CLASSES}")
    steps, batch = EFFORT[params.plan]
    settings = InversionSettings(steps=steps, batch=max(LEAST_BATCH, min(batch, MOST_POINTS // count)))
    triggers = invert(
        model, x, np.arange(count), low=low, high=high, seed=seed, settings=settings, stop=lambda: budget.stop() or ""
    )
    index = oddness(triggers.sizes, triggers.reached)
    place = int(index.argmax())
    others = np.asarray(held.x, np.float32)[np.asarray(held.y) != triggers.classes[place]]
    marked = stamped(others, triggers.masks[place], triggers.patterns[place])
    turned = 0
    for start in range(0, len(marked), BATCH):
        turned += int((subject.labels(marked[start : start + BATCH]) == triggers.classes[place]).sum())
    return Inverted(triggers=triggers, index=index, place=place, turned=turned, tried=len(marked))


def _range(subject: Subject, data: Dataset) -> tuple[float, float]:
    known = subject.bounds or data.bounds
    values: Any = np.asarray(data.x)
    low, high = known or (float(values.min()), float(values.max()))
    if not low < high:
        raise ShapeMismatch(f"every value of {data.name!r} is {low:g}, so there is no range for a pattern")
    return float(low), float(high)


def _finding(spec: Spec, subject: WhiteBox, params: TriggerInversionParams, held: Dataset, found: Inverted) -> Finding:
    triggers, place, partial = found.triggers, found.place, bool(found.triggers.reason)
    name = class_name(subject, held, int(triggers.classes[place]))
    index, size = float(found.index[place]), float(triggers.sizes[place])
    measured = Quantity(
        name="small_trigger_index",
        value=index,
        unit="spreads",
        n=len(triggers.classes),
        low=index,
        high=index,
        better="lower",
        partial=partial,
    )
    numbers = [measured]
    if found.tried:
        numbers.append(rate("inverted_trigger_success_rate", found.turned, found.tried, partial=partial))
    length = Quantity(name="trigger_size", value=size, unit="places", n=1, low=size, high=size, partial=partial)
    severity = THREAT.severity(measured)
    odd = severity > 0
    said = (
        f"{name} has a trigger of {size:.1f} places" if odd else f"no class has a trigger smaller than others: {name}"
    )
    cut = f" It was cut short: {triggers.reason}." if partial else ""
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{said}, index {index:.1f}",
        severity=severity,
        confidence="likely" if odd else "possible",
        detail=(
            f"The median size over {len(triggers.classes)} classes is {float(np.median(triggers.sizes)):.1f} places. "
            f"The trigger turns {found.turned} of {found.tried} rows that it was not made from. "
            f"Triggers over the whole input are not seen.{cut}"
        ),
        params=params.as_dict(),
        quantities=(*numbers, length),
        tables=(_by_class(subject, held, found),),
        locations=(Location(uri=held.name),),
        evidence=_evidence(subject, held, found),
        remedies=("RDN-POI-102", "RDN-POI-103", "ask for the training data and run RDN-POI-001"),
        references=spec.references,
    )


def _by_class(subject: Subject, data: Dataset, found: Inverted) -> Table:
    order = np.argsort(-found.index, kind="stable")[:MOST_SHOWN]
    lines = tuple(
        (
            class_name(subject, data, int(found.triggers.classes[place])),
            round(float(found.triggers.sizes[place]), 2),
            "yes" if found.triggers.reached[place] else "no",
            round(float(found.index[place]), 2),
        )
        for place in order.tolist()
    )
    return Table(name="trigger_size_by_class", columns=("class", "places", "95 % turned", "index"), rows=lines)


def _evidence(subject: Subject, held: Dataset, found: Inverted) -> tuple[Evidence, ...]:
    from redan.kernels.backdoors.inversion import stamped

    mask, pattern = found.triggers.masks[found.place], found.triggers.patterns[found.place]
    name = class_name(subject, held, int(found.triggers.classes[found.place]))
    blobs = [
        array("mask", mask, f"weight of each place in the smallest trigger, to {name}"),
        array("pattern", pattern, "values of the trigger on the inputs' own scale"),
        array("sizes", found.triggers.sizes, "size of each class's trigger"),
    ]
    if is_image(held.x.shape[1:]):
        one = np.asarray(held.x[:1], np.float32)
        shown = triptych(
            one[0], stamped(one, mask, pattern)[0], low=float(one.min()), high=_top(one, pattern), gain=1.0
        )
        blobs.append(Evidence.of("triptych", shown, "image/png", "a row, the row with the trigger, and the difference"))
    return tuple(blobs)


def _top(one: NDArray[Any], pattern: NDArray[Any]) -> float:
    return max(float(one.max()), float(pattern.max()), float(one.min()) + 1e-6)
