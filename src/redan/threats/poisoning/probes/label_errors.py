"""Labels that are probably wrong, by cleanlab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, UsageError
from redan.core.finding import Finding, Location, Table
from redan.core.probe import Spec
from redan.subjects.failures import needing
from redan.threats.poisoning.counted import MOST_SHOWN, array, rate
from redan.threats.poisoning.reading import Rows, class_name, rows_of
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.label_errors.confident import Suspects

LEAST = 40
MOST_CLASSES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrorsParams(core_params.Params):
    """Parameters of the search for label errors.

    Attributes:
        folds: parts of the data; each is judged by a model fitted on the others.
    """

    folds: int = 3


@probe(
    Spec(
        id="RDN-POI-010",
        name="label-errors",
        threat="poisoning",
        title="Labels that are probably wrong",
        source="Northcutt, Jiang & Chuang 2021, JAIR 70, sections 3.1 and 3.2 (cleanlab)",
        needs=("labels",),
        data=("train",),
        cost="seconds",
        references=("arxiv:1911.00068", "atlas:AML.T0020", "owasp:ML02"),
    )
)
class LabelErrors:
    """Finds training rows whose label is probably wrong.

    What it measures:
        The share of training rows that confident learning takes for mislabelled, by class, and the rows themselves.

    Why it matters:
        Flipped labels are the simplest poison, and the commonest dirt: both cost accuracy, and flips towards one class
        cost it where the attacker wants.

    How:
        A logistic regression on what enters the model's last layer (on the inputs, where the model shows no layers)
        gives each row probabilities from folds that do not hold the row. cleanlab compares them with the labels:
        the probability of the given class orders the rows, the estimated noise of each pair of classes decides.

    Shapes:
        train: (n, …) numbers with (n,) classes, n at least 40.

    Units:
        Shares of rows; quality between 0 and 1, lower is worse.

    Error of the estimate:
        Wilson 95 % interval of the share flagged. Rows that are only hard are flagged too, and the interval does not
        cover that: look at the rows.

    Cost:
        One forward pass, and as many logistic regressions on 64 columns as there are folds.

    Sources:
        Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels".

    Limits:
        Backdoored rows look right to the model that learnt them: other probes look for those. Few rows of a class, or
        a class that nothing tells from another, make every judgement weak.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LabelErrorsParams

    def run(
        self,
        subject: Subject,
        inputs: Inputs,
        params: LabelErrorsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Judge every label and yield one finding.

        Raises:
            MissingDependency: cleanlab is not installed.
        """
        observe.started(self.spec.name, len(inputs.role("train")))
        found = suspects(subject, inputs.role("train"), params.folds, budget=budget, seed=seed)
        if found is None:
            return
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, *found)


def suspects(subject: Subject, data: Dataset, folds: int, *, budget: Budget, seed: int) -> tuple[Rows, Suspects] | None:
    """Judge the labels of a data set; None when the budget is spent.

    Raises:
        MissingDependency: cleanlab is not installed.
        ShapeMismatch: too few rows or classes, or rows that do not fit the model.
        UsageError: fewer than two folds.
    """
    from redan.kernels.label_errors.held_out import folds_of, held_out

    if folds < 2:
        raise UsageError(f"folds={folds}; expected at least 2")
    rows = rows_of(subject, data, budget, least=LEAST)
    if rows is None:
        return None
    if not 2 <= len(rows.present) <= MOST_CLASSES:
        raise ShapeMismatch(f"{data.name!r} holds {len(rows.present)} classes; expected 2 to {MOST_CLASSES}")
    dealt = folds_of(rows.labels, rows.data.indices, folds, seed)
    with needing("finding label errors"):
        from redan.kernels.label_errors.confident import confident

        probabilities = held_out(rows.columns, rows.labels, dealt, budget.stop)
        return None if probabilities is None else (rows, confident(rows.labels, probabilities))


def _finding(spec: Spec, subject: Subject, params: LabelErrorsParams, rows: Rows, found: Suspects) -> Finding:
    n, flagged = len(rows.labels), int(found.flagged.sum())
    measured = rate("label_error_rate", flagged, n)
    order = np.argsort(found.quality, kind="stable")
    worst = order[found.flagged[order]]
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{flagged} of {n} training labels are probably wrong ({measured.value:.1%})",
        severity=THREAT.severity(measured),
        confidence="possible",
        detail=(
            f"{flagged} of {n} rows of {rows.data.name!r} are flagged (95 % interval {measured.low:.1%} to "
            f"{measured.high:.1%}), judged by {rows.reads}. "
            "Hard rows are among them: look at the worst first."
        ),
        params=params.as_dict(),
        quantities=(measured,),
        tables=(_by_class(subject, rows, found), _shown(subject, rows, found, worst)),
        locations=(Location(uri=rows.data.name),),
        evidence=(
            array("suspects", rows.data.indices[worst], "rows of the source, the most suspicious first"),
            array("quality", found.quality, "probability of the given class, for each row by rising index"),
            array("indices", rows.data.indices, "rows of the source that quality belongs to"),
        ),
        remedies=("RDN-POI-101", "look at the rows that are listed, and correct or remove them"),
        references=spec.references,
    )


def _by_class(subject: Subject, rows: Rows, found: Suspects) -> Table:
    lines = []
    for label, place in enumerate(rows.present):
        own = rows.labels == label
        wrong = own & found.flagged
        likely = np.bincount(found.likely[wrong], minlength=len(rows.present))
        mostly = class_name(subject, rows.data, int(rows.present[likely.argmax()])) if wrong.any() else "–"
        lines.append((class_name(subject, rows.data, int(place)), int(own.sum()), int(wrong.sum()), mostly))
    return Table(
        name="label_errors_by_class", columns=("class", "rows", "suspects", "mostly look like"), rows=tuple(lines)
    )


def _shown(subject: Subject, rows: Rows, found: Suspects, worst: np.ndarray) -> Table:
    lines = tuple(
        (
            int(rows.data.indices[row]),
            class_name(subject, rows.data, int(rows.data.y[row])),
            class_name(subject, rows.data, int(rows.present[found.likely[row]])),
            round(float(found.quality[row]), 4),
        )
        for row in worst[:MOST_SHOWN].tolist()
    )
    return Table(name="worst_labels", columns=("row", "label", "looks like", "quality"), rows=lines)
