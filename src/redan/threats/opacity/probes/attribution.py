"""Why the model answered as it did, value by value, and whether that can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped, UsageError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.evidence.blobs import NPY, save_npy
from redan.kernels.draws import sample_keys
from redan.kernels.explain.attribution import Attribution, importance
from redan.kernels.explain.deletion import SHARES, Deletion, deletion, left_at_random
from redan.kernels.pictures import is_image
from redan.threats.opacity.methods import Explaining, chosen, explained
from redan.threats.opacity.rows import Asking, Rows, names_of, rows_of
from redan.threats.opacity.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.opacity.rows import Scored

SHOWN_COLUMNS = 20
BY_GRADIENTS = frozenset({"integrated-gradients", "saliency", "grad-cam", "occlusion"})
SHOWN_ROWS = 6
PNG = "image/png"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionParams(core_params.Params):
    """Parameters of explanations.

    Attributes:
        method: ``auto`` for every one that fits and is cheap, or names with commas between.
        rows: most rows that are explained.
    """

    method: str = "auto"
    rows: int = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One explanation and how far it can be believed."""

    told: Attribution
    deleted: Deletion


@probe(
    Spec(
        id="RDN-OPA-001",
        name="attribution",
        threat="opacity",
        title="What the model's answers rest on, and whether that can be believed",
        source="Samek et al. 2017, section III (judging); Sundararajan et al. 2017; Lundberg & Lee 2017",
        needs=("scores",),
        data=("test",),
        cost="seconds",
        references=(
            "nist:ai-rmf-measure-2.9",
            "https://eur-lex.europa.eu/eli/reg/2024/1689/oj",
            "arxiv:1509.06321",
            "arxiv:1703.01365",
        ),
    )
)
class AttributionProbe:
    """Explains answers value by value with every method that fits, and measures which of them say anything.

    What it measures:
        For each method how much further the probability of the answered class falls when the values it calls
        important are replaced by the mean, than when values are replaced at random: its faithfulness.

    Why it matters:
        An explanation that does no better than chance is worse than none, since somebody will act on it. One that
        holds shows what a decision rests on, to the person it is about and to whoever looks for shortcuts and leaks.

    How:
        Trees: exact tree SHAP. Networks: integrated gradients, saliency, occlusion, Grad-CAM where there is a
        convolution. Other tables: permutation SHAP and LIME; kernel SHAP when named. Each is judged on the same rows
        with the same random orders.

    Shapes:
        x: (n, …) numbers; tables of at most 200 columns for the methods that only ask.

    Units:
        Faithfulness is a difference of probabilities, averaged over shares of values taken away; 0 is chance.

    Error of the estimate:
        95 % interval of the mean over rows. The best method is chosen on the same rows, which flatters it a little
        where methods are close.

    Cost:
        Some dozens of gradients a row; for tables some hundreds to thousands of answers a row.

    Sources:
        Samek, Binder, Montavon, Lapuschkin & Müller 2017, "Evaluating the visualization of what a deep neural network
        has learned", section III; Sundararajan, Taly & Yan 2017; Lundberg & Lee 2017; Ribeiro, Singh & Guestrin 2016;
        Selvaraju et al. 2017; Zeiler & Fergus 2014.

    Limits:
        Replacing values by their mean leaves the data's distribution, which every deletion test does. Faithful to the
        model says nothing about whether the model is right.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AttributionParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: AttributionParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Explain the first test rows with each method, and yield one finding."""
        if params.rows < 2:
            raise UsageError(f"rows is {params.rows}; an explanation is judged on at least 2")
        asking = Asking(subject, budget, np.asarray(inputs.role("test").x).dtype)
        rows = rows_of(asking, inputs, params.rows)
        methods = chosen(params.method, subject, rows)
        observe.started(self.spec.name, len(methods))
        keys = sample_keys(seed, self.spec.id, rows.data.indices)
        random = left_at_random(asking, rows.x, rows.answered, rows.baseline, keys=keys)
        work = Explaining(subject=subject, rows=rows, ask=asking, seed=derive(seed, self.spec.id) % 2**31)
        judged: list[Judged] = []
        unfit = 0
        for method in methods:
            if reason := budget.stop():
                observe.note(f"{method} was not tried: {reason}")
                break
            try:
                judged.append(_judged(method, work, random, budget))
            except BudgetSpent as err:
                observe.note(f"{method} was not tried to its end: {err.message}")
                break
            except Skipped as err:
                if params.method != "auto":
                    raise
                observe.note(f"{method} was left out: {err.message}")
                unfit += 1
                continue
            observe.advanced(self.spec.name, len(judged), len(methods), method)
        if not judged:
            return
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, rows, judged, partial=len(judged) + unfit < len(methods))


def _judged(method: str, work: Explaining, random: NDArray[np.float64], budget: Budget) -> Judged:
    rows, left = work.rows, budget.left_queries()
    if method in BY_GRADIENTS:
        if left is not None and left < len(rows.x):
            raise BudgetSpent(f"{left} queries are left")
        told = explained(method, work)
        budget.charge(queries=told.calls)
    else:
        told = explained(method, work)
    return Judged(
        told=told, deleted=deletion(work.ask, rows.x, rows.answered, told.values, rows.baseline, random=random)
    )


def _finding(
    spec: Spec,
    subject: Subject,
    params: AttributionParams,
    rows: Rows,
    judged: list[Judged],
    *,
    partial: bool,
) -> Finding:
    ordered = sorted(judged, key=lambda one: -one.deleted.faithfulness[0])
    best = ordered[0]
    held = _faithfulness("faithfulness", best.deleted, len(rows.x), partial=partial)
    below = held.low < 0.001
    said = "says no more than chance" if below else f"is the most faithful: {held.value:.3f} beyond chance"
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{best.told.method} {said} ({held.low:.3f} to {held.high:.3f}), of {len(judged)} explanations",
        severity=THREAT.severity(held),
        detail=(
            f"When the values that {best.told.method} calls important are replaced by the mean of other rows, the "
            f"probability of the answered class falls {held.value:.3f} further than with values at random, on average "
            f"over {len(rows.x)} rows and shares of {SHARES[0]:.0%} to {SHARES[-1]:.0%} of the values. "
            "Explanations whose interval reaches 0 should not be shown to anybody."
        ),
        params=params.as_dict(),
        quantities=(held,),
        series=(*_curves(best.deleted), *_columns(rows, best.told)),
        tables=(_table(ordered),),
        locations=(Location(uri=rows.data.name),),
        evidence=tuple(_evidence(rows, ordered)),
        remedies=("explain with the method at the top of the table", "choose a model that people can read: surrogate"),
        references=spec.references,
    )


def _faithfulness(name: str, deleted: Deletion, n: int, *, partial: bool) -> Quantity:
    value, low, high = deleted.faithfulness
    return Quantity(
        name=name, value=value, unit="probability", n=n, low=low, high=high, better="higher", partial=partial
    )


def _curves(deleted: Deletion) -> tuple[Series, ...]:
    x = (0.0, *deleted.shares)
    whole = float(deleted.whole.mean())
    n = (len(deleted.whole),) * len(x)
    return tuple(
        Series(
            name=name,
            x=x,
            y=(whole, *(float(v) for v in kept.mean(axis=0))),
            n=n,
            x_unit="share of the values taken away",
            y_unit="fraction",
        )
        for name, kept in (("probability_left", deleted.kept), ("probability_left_at_random", deleted.random))
    )


def _columns(rows: Rows, told: Attribution) -> tuple[Series, ...]:
    """Return the columns of a table by how much answers rest on them."""
    if rows.x.ndim != 2:
        return ()
    names, sizes = names_of(rows.data, rows.x.shape[1]), importance(told.values)
    top = np.argsort(-sizes, kind="stable")[:SHOWN_COLUMNS]
    return (
        Series(
            name="importance",
            x=tuple(names[i] for i in top),
            y=tuple(float(sizes[i]) for i in top),
            y_unit="attribution",
        ),
    )


def _table(ordered: list[Judged]) -> Table:
    rows = []
    for one in ordered:
        value, low, high = one.deleted.faithfulness
        left = float(one.deleted.kept[:, SHARES.index(0.1)].mean())
        at_random = float(one.deleted.random[:, SHARES.index(0.1)].mean())
        rows.append(
            (
                one.told.method,
                round(value, 4),
                f"{low:.3f}\N{EN DASH}{high:.3f}",
                round(left, 3),
                round(at_random, 3),
                one.told.calls,
            )
        )
    return Table(
        name="explanations",
        columns=("method", "faithfulness", "95 %", "left after 10 %", "at random", "model calls"),
        rows=tuple(rows),
    )


def _evidence(rows: Rows, ordered: list[Judged]) -> Iterator[Evidence]:
    yield Evidence.of("indices", save_npy(rows.data.indices), NPY, "rows of the source that were explained")
    yield Evidence.of("answered", save_npy(rows.answered), NPY, "the class that each explanation is about")
    for one in ordered:
        values: Any = one.told.values.astype(np.float32)
        yield Evidence.of(f"attribution-{one.told.method}", save_npy(values), NPY, "positive speaks for the class")
    if not is_image(rows.x.shape[1:]):
        return
    from redan.kernels.explain.drawing import sheet

    low, high = rows.data.bounds or (float(rows.x.min()), float(rows.x.max()) or 1.0)
    shown = ordered[:4]
    names = ", ".join(one.told.method for one in shown)
    drawn = sheet(rows.x[:SHOWN_ROWS], [one.told.values[:SHOWN_ROWS] for one in shown], low=low, high=high)
    yield Evidence.of("explained", drawn, PNG, f"image; then {names}: red speaks for the answer, blue against it")
