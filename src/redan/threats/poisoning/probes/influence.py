"""Which training rows make the answers of a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, UsageError
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.influence.head import fit, influence, renormalised
from redan.subjects.fit import check_fit
from redan.threats.poisoning.counted import MOST_SHOWN, array
from redan.threats.poisoning.reading import BATCH, Rows, class_name, rows_of
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject

    class Labelled(Subject, Labels):
        """A subject with labels."""


LEAST = 20
TOP = 0.01
"""Share of the rows whose part of the influence is the first quantity."""
MOST_COEFFICIENTS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluenceParams(core_params.Params):
    """Parameters of influence.

    Attributes:
        decay: weight of half the squared coefficients of the regression that stands in for the last layer.
        most_asked: answers that are explained together, at most.
    """

    decay: float = 20.0
    most_asked: int = 500


@probe(
    Spec(
        id="RDN-POI-014",
        name="influence",
        threat="poisoning",
        title="Training rows that answers rest on",
        source="Koh & Liang 2017, ICML, equation 2; Hammoudeh & Lowd 2022, CCS, equation 8",
        needs=("labels",),
        data=("train", "test"),
        cost="seconds",
        references=("arxiv:1703.04730", "arxiv:2201.10055", "atlas:AML.T0020"),
        default=False,
    )
)
class Influence:
    """Says which training rows make the model answer as it does.

    What it measures:
        How much the loss of some answers would rise if a training row were left out, for the length of the row's own
        gradient, for every training row; and the part of all support that the top hundredth of the rows holds.

    Why it matters:
        After a wrong or bought answer somebody asks where it came from. Rows that a backdoor was planted with support
        the triggered answers and nothing else, so they stand at the top.

    How:
        A softmax regression on what enters the model's last layer (on the inputs, where the model shows no layers) is
        fitted to the training labels; leaving a row out changes it by one Newton step. The change is divided by the
        length of the row's gradient, or planted rows, which are learnt well, would stand below hard ones. Explained are
        the canary rows that get the canary's label, where a canary is given, else the test rows that are answered
        wrongly.

    Shapes:
        train and test: (n, …) numbers with (n,) classes; canary: triggered rows with the attacker's class.

    Units:
        Nats of summed loss for each unit of gradient; shares of support.

    Error of the estimate:
        None by sampling: every row counts. Before the division the step agrees with fitting again without the row at a
        correlation above 0.97 on digits; what the regression leaves out of the network is not in it.

    Cost:
        One forward pass, one regression, and one system of as many equations as it has coefficients, at most 2000.

    Sources:
        Koh & Liang 2017, "Understanding black-box predictions via influence functions"; Hammoudeh & Lowd 2022,
        "Identifying a training-set attack's target using renormalized influence estimation", equation 8; Basu, Pope &
        Feizi 2021 for why the last layer only.

    Limits:
        Rows that taught the layers below leave no trace. Two equal rows share what each would have alone.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = InfluenceParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: InfluenceParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Weigh every training row and yield one finding.

        Raises:
            UsageError: a parameter is out of range.
            ShapeMismatch: rows do not fit the model, or there is no answer to explain.
        """
        if not params.decay > 0 or params.most_asked < 1:
            raise UsageError(f"decay={params.decay:g}, most_asked={params.most_asked}; expected both above 0")
        train, test = inputs.role("train"), inputs.role("test")
        observe.started(self.spec.name, len(train))
        rows = rows_of(subject, train, budget, least=LEAST)
        if rows is None:
            return
        if len(rows.present) < 2:
            raise ShapeMismatch(f"{train.name!r} holds one class only")
        asked, what = _explained(subject, test, inputs.canary, params, budget)
        asked = asked.rows(np.isin(asked.y, rows.present))
        if budget.stop():
            return
        if len(asked):
            weights = _weighed(rows, asked, params)
            observe.finished(self.spec.name)
            yield _finding(self.spec, subject, params, rows, weights, len(asked), what)
        else:
            observe.finished(self.spec.name)
            yield _nothing(self.spec, subject, params, what)


def _explained(
    subject: Any, test: Dataset, canary: Dataset | None, params: InfluenceParams, budget: Budget
) -> tuple[Dataset, str]:
    """Return rows labelled with the answers that are explained, and what they are."""
    check_fit(subject, test)
    if canary is not None:
        check_fit(subject, canary)
    data = test if canary is None else canary
    if not np.isfinite(np.asarray(data.x, float)).all():
        raise ShapeMismatch(f"{data.name!r} holds NaN or infinity", hint="remove those rows")
    data = data.rows(np.argsort(data.indices, kind="stable"))
    budget.charge(queries=len(data))
    parts = [subject.labels(data.x[i : i + BATCH]) for i in range(0, len(data), BATCH)]
    answers: NDArray[Any] = np.concatenate(parts)
    chosen = np.flatnonzero(answers != data.y if canary is None else answers == data.y)[: params.most_asked]
    told = "test rows that are answered wrongly" if canary is None else "canary rows that get the canary's label"
    return replace(data.rows(chosen), y=answers[chosen]), told


def _weighed(rows: Rows, asked: Dataset, params: InfluenceParams) -> NDArray[np.float64]:
    most = max(1, MOST_COEFFICIENTS // len(rows.present) - 1)
    # one scale for all columns: whitening would let directions decide in which the model hardly moves
    scale = float(rows.columns.std()) or 1.0
    head = fit(rows.columns[:, :most] / scale, rows.labels, params.decay)
    wanted = np.searchsorted(rows.present, asked.y)
    return renormalised(head, influence(head, rows.embed(asked.x)[:, :most] / scale, wanted))


def _finding(
    spec: Spec,
    subject: Subject,
    params: InfluenceParams,
    rows: Rows,
    weights: NDArray[np.float64],
    n_asked: int,
    what: str,
) -> Finding:
    n = len(weights)
    order = np.argsort(-weights, kind="stable")
    top = order[: max(1, round(TOP * n))]
    support = float(np.maximum(weights, 0).sum())
    share = float(np.maximum(weights[top], 0).sum() / support) if support > 0 else 0.0
    measured = Quantity(name="support_of_top_rows", value=share, unit="fraction", n=n, low=share, high=share)
    lines = tuple(
        (
            int(rows.data.indices[row]),
            class_name(subject, rows.data, int(rows.data.y[row])),
            round(float(weights[row]), 4),
        )
        for row in order[:MOST_SHOWN].tolist()
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{len(top)} of {n} training rows hold {share:.1%} of the support for {n_asked} {what}",
        severity=THREAT.severity(measured),
        confidence="possible",
        detail=f"Explained are {n_asked} {what}, judged by {rows.reads}. Look at the rows at the top.",
        params=params.as_dict(),
        quantities=(measured,),
        tables=(Table(name="most_influential_rows", columns=("row", "label", "influence"), rows=lines),),
        locations=(Location(uri=rows.data.name),),
        evidence=(
            array("influence", weights, "renormalised influence of each training row, by rising index"),
            array("indices", rows.data.indices, "rows of the source, in the same order"),
        ),
        remedies=("look at the rows that are listed; remove what was planted and train again: RDN-POI-101",),
        references=spec.references,
    )


def _nothing(spec: Spec, subject: Subject, params: InfluenceParams, what: str) -> Finding:
    none = Quantity(name="explained_answers", value=0.0, unit="count", n=1, low=0.0, high=0.0)
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"there are no {what}, so that nothing is explained",
        severity=THREAT.severity(none),
        params=params.as_dict(),
        quantities=(none,),
        locations=(Location(uri="train data"),),
        references=spec.references,
    )
