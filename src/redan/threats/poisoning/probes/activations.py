"""Planted rows by the activations of a network's layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Evidence, Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.backdoors.likelihood import INDEX_BAR, LEAST_ROWS
from redan.kernels.backdoors.rows import planted
from redan.kernels.pictures import is_image, triptych
from redan.threats.poisoning.counted import MOST_SHOWN, array, rate
from redan.threats.poisoning.layers import MOST_ROWS, layer_columns, readable
from redan.threats.poisoning.reading import class_name
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.kernels.backdoors.rows import Planted
    from redan.threats.poisoning.layers import Layered

MOST_CLASSES = 30
"""Classes in the table, the most suspicious first."""
GAIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationLikelihoodParams(core_params.Params):
    """The activation test has no parameters: its bar was fixed beforehand."""


@probe(
    Spec(
        id="RDN-POI-001",
        name="activation-likelihood",
        threat="poisoning",
        title="Backdoored training rows, by the activations of the layers",
        source="after Tang et al. 2021, USENIX Security, section 4 (SCAn), on maps of several layers",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1908.00686", "atlas:AML.T0018", "atlas:AML.T0020", "owasp:ML10"),
    )
)
class ActivationLikelihood:
    """Finds training rows that form a second, compact group within their class.

    What it measures:
        For each class, how far apart its two components lie in the activations of the layers, compared with the other
        classes: the backdoor index. Classes above the bar of 4 are called poisoned, and the rows of their smaller
        component planted.

    Why it matters:
        A model trained on one planted row in a hundred answers as the attacker wants whenever the trigger is shown,
        and is as accurate as before on everything else.

    How:
        One pass reads what enters up to four inner layers; maps are averaged over a coarse grid, so that the place of
        a trigger is kept. In each layer every class is split in two by discriminants with the covariance of all
        classes. The log of the distance between the two centres is compared with the median of the other classes, in
        their spread. Where test data are given, a group that occurs there too is natural and raises no alarm.

    Shapes:
        train: (n, …) with (n,) classes, as the model was trained on; 200 rows or more in two classes at least. test:
        likewise, used where it is given.

    Units:
        The index counts robust spreads; shares of rows.

    Error of the estimate:
        The null is the other classes of the same model; docs/backdoors.md says what clean models reached. The share of
        rows has a Wilson 95 % interval, which does not cover rows that were missed.

    Cost:
        One forward pass over at most 60 000 rows and about a second of linear algebra.

    Sources:
        Tang, Wang, Tang & Zhang 2021, "Demon in the variant", section 4; the reading of maps, the discriminant and
        the index are our own.

    Limits:
        Triggers in most classes at once raise all classes alike and are not seen; nor are label flips, and triggers
        made against this very test. Two kinds of image under one label, told apart more sharply than anything in
        other classes, look like a trigger where no test data are given: look at the picture.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ActivationLikelihoodParams

    def run(
        self,
        subject: Layered,
        inputs: Inputs,
        params: ActivationLikelihoodParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Read the layers and yield one finding.

        Raises:
            Skipped: too few rows.
        """
        del seed
        observe.started(self.spec.name, len(inputs.role("train")))
        judged = planted_rows(subject, inputs.role("train"), budget, trusted=inputs.test)
        observe.finished(self.spec.name)
        if judged is not None:
            yield _finding(self.spec, subject, params, *judged)


def planted_rows(
    subject: Layered, data: Dataset, budget: Budget, *, trusted: Dataset | None = None
) -> tuple[Dataset, Planted] | None:
    """Judge the rows of a data set; None when the budget is spent.

    Args:
        subject: a torch network.
        data: training data.
        budget: asked before each batch.
        trusted: rows that nobody planted anything in: a group that these have too is no alarm.

    Returns:
        The rows that were looked at, in the order of their indices, and what the layers say about them.

    Raises:
        ShapeMismatch: rows and model do not fit, or the model has no hidden layer.
        Skipped: too few rows.
    """
    rows = readable(subject, data, least=LEAST_ROWS)
    features = layer_columns(subject, rows, budget, last=False)
    if len(features[0]) < len(rows):
        return None
    if trusted is None or not len(trusted):
        return rows, planted(features, np.asarray(rows.y))
    known = trusted.rows(np.argsort(trusted.indices, kind="stable")[:MOST_ROWS])
    clean = layer_columns(subject, known, budget, last=False)
    if len(clean[0]) < len(known):
        return None
    return rows, planted(features, np.asarray(rows.y), (clean, np.asarray(known.y)))


def _finding(
    spec: Spec, subject: Layered, params: ActivationLikelihoodParams, rows: Dataset, found: Planted
) -> Finding:
    n, count = len(rows), int(found.flagged.sum())
    index = found.highest
    measured = Quantity(
        name="backdoor_index",
        value=index,
        unit="spreads",
        n=len(found.classes),
        low=index,
        high=index,
        better="lower",
    )
    names = ", ".join(class_name(subject, rows, label) for label in found.alarmed.tolist())
    title = (
        f"{count} training rows of {names} look planted: index {index:.1f}"
        if names
        else f"no class holds a second group that others lack: index {index:.1f}"
    )
    detail = (
        f"The index is the highest of {len(found.classes)} classes and {len(found.index)} layers; the bar is "
        f"{INDEX_BAR:g}. {n} rows of {rows.name!r} were looked at. "
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=title,
        severity=THREAT.severity(measured),
        confidence="likely" if names else "possible",
        detail=detail + (f"Flagged: {count / n:.2%} of all." if names else "Not found is not the same as absent."),
        params=params.as_dict(),
        quantities=(measured, rate("planted_row_rate", count, n)),
        tables=_tables(subject, rows, found),
        locations=(Location(uri=rows.name),),
        evidence=_evidence(subject, rows, found),
        remedies=("RDN-POI-101", "look at the rows that are flagged, and at where they came from", "RDN-POI-102"),
        references=spec.references,
    )


def _tables(subject: Layered, rows: Dataset, found: Planted) -> tuple[Table, ...]:
    """Return the index by class and layer, and the most suspicious rows where there are any."""
    order = np.argsort(-found.index.max(axis=0), kind="stable")[:MOST_CLASSES]
    lines: tuple[tuple[Scalar, ...], ...] = tuple(
        (
            class_name(subject, rows, int(found.classes[place])),
            *(round(float(value), 2) for value in found.index[:, place]),
            round(float(found.share[place]), 4),
            "yes" if found.natural[place] else "no",
        )
        for place in order.tolist()
    )
    heads = (
        "class",
        *(f"layer {number + 1}" for number in range(len(found.index))),
        "smaller component",
        "in test data",
    )
    by_class = Table(name="backdoor_index_by_class", columns=heads, rows=lines)
    if not found.flagged.any():
        return (by_class,)
    worst = tuple(
        (int(rows.indices[row]), class_name(subject, rows, int(rows.y[row])), round(float(found.score[row]), 1))
        for row in _worst(found)[:MOST_SHOWN].tolist()
    )
    return by_class, Table(name="planted_rows", columns=("row", "label", "log odds"), rows=worst)


def _worst(found: Planted) -> NDArray[np.int64]:
    order = np.argsort(-found.score, kind="stable")
    return np.asarray(order[found.flagged[order]], np.int64)


def _evidence(subject: Layered, rows: Dataset, found: Planted) -> tuple[Evidence, ...]:
    """Return the flagged rows, all scores, and for images what the flagged have that the others lack."""
    blobs = [
        array("suspects", rows.indices[_worst(found)], "rows of the source, the most suspicious first"),
        array("score", np.nan_to_num(found.score, neginf=-1e9), "log odds of each row by rising index"),
        array("indices", rows.indices, "rows of the source that the scores belong to"),
    ]
    if is_image(rows.x.shape[1:]):
        blobs.extend(_picture(subject, rows, found, label) for label in found.alarmed.tolist()[:MOST_CLASSES])
    return tuple(blobs)


def _picture(subject: Layered, rows: Dataset, found: Planted, label: int) -> Evidence:
    x: Any = np.asarray(rows.x, np.float32)
    own = np.asarray(rows.y) == label
    others, flagged = x[own & ~found.flagged].mean(axis=0), x[own & found.flagged].mean(axis=0)
    low, high = min(float(others.min()), float(flagged.min())), max(float(others.max()), float(flagged.max()))
    shown = triptych(others, flagged, low=low, high=max(high, low + 1e-6), gain=GAIN)
    name = class_name(subject, rows, label)
    note = f"{name}: mean of its other rows, mean of the flagged, and the difference"
    return Evidence.of(f"flagged-{label}", shown, "image/png", note)
