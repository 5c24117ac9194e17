"""Membership inference from the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch
from redan.core.finding import Finding, Location, Quantity
from redan.core.probe import Spec
from redan.kernels.membership import auc, caught, loss_scores
from redan.kernels.statistics import wilson
from redan.subjects.fit import check_fit
from redan.threats.privacy.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Scores, Subject

    class Scored(Subject, Scores):
        """A subject with scores."""


LEAST = 20
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LossThresholdParams(core_params.Params):
    """Parameters of the loss threshold.

    Attributes:
        false_positive_rate: share of non-members that may be accused, for the second quantity.
    """

    false_positive_rate: float = 0.01


@probe(
    Spec(
        id="RDN-PRI-001",
        name="loss-threshold",
        threat="privacy",
        title="Membership inference from the loss",
        source="Yeom et al. 2018, CSF, section 3.2; Carlini et al. 2022, section III (low false positives)",
        needs=("scores",),
        data=("train", "test"),
        cost="seconds",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:1709.01604", "arxiv:2112.03570"),
    )
)
class LossThreshold:
    """Measures how well the loss tells training records from others.

    What it measures:
        The AUC of "lower loss means member" between training and test records, and the share of members that are
        caught when at most one non-member in a hundred is accused.

    Why it matters:
        Whoever can tell that a record was in the training data of a clinic's model knows that the person was a
        patient.

    How:
        The model's scores for training and test records become cross-entropy losses; a threshold on the loss is the
        attack. It needs no shadow models and no knowledge beyond scores and true classes.

    Shapes:
        train and test: (n, …) inputs with (n,) classes, from the same distribution.

    Units:
        AUC between 0 and 1 (0.5 is guessing); shares of members.

    Error of the estimate:
        DeLong 95 % interval for the AUC, Wilson interval for the share caught.

    Cost:
        One forward pass over both data sets.

    Sources:
        Yeom, Giacomelli, Fredrikson & Jha 2018, "Privacy risk in machine learning", section 3.2; Carlini et al. 2022,
        "Membership inference attacks from first principles", section III.

    Limits:
        The weakest of the known attacks: reference models find more, so a low figure here is not a proof of privacy.
        If train and test differ in anything else than membership, the figure shows that difference too.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LossThresholdParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: LossThresholdParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Score both data sets and yield one finding."""
        train, test = inputs.role("train"), inputs.role("test")
        for data in (train, test):
            check_fit(subject, data)
            if len(data) < LEAST:
                raise ShapeMismatch(
                    f"{data.name!r} has {len(data)} rows; membership needs at least {LEAST} on each side",
                    hint="use more rows: --limit",
                )
        observe.started("loss-threshold", len(train) + len(test))
        members = _scored(subject, train, budget, observe, done=0)
        others = _scored(subject, test, budget, observe, done=len(train))
        observe.finished("loss-threshold")
        if len(members) < LEAST or len(others) < LEAST:
            return
        partial = len(members) < len(train) or len(others) < len(test)
        yield _finding(self.spec, subject.ref.name, params, members, others, partial=partial)


def _scored(subject: Scored, data: Dataset, budget: Budget, observe: Observer, *, done: int) -> NDArray[np.float64]:
    """Return minus the loss of each row, of as many as the budget allows."""
    parts = []
    for start in range(0, len(data), BATCH):
        if budget.stop():
            break
        x, y = data.x[start : start + BATCH], np.asarray(data.y[start : start + BATCH])
        budget.charge(queries=len(x))
        parts.append(loss_scores(subject.scores(x), y, kind=subject.score_kind))
        observe.advanced("loss-threshold", done + start + len(x))
    return np.concatenate(parts) if parts else np.zeros(0)


def _finding(
    spec: Spec,
    name: str,
    params: LossThresholdParams,
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    *,
    partial: bool,
) -> Finding:
    area = auc(members, others)
    n, hits = len(members), caught(members, others, params.false_positive_rate)
    low, high = wilson(hits, n)
    measured = Quantity(
        name="membership_auc",
        value=area.value,
        unit="auc",
        n=n + len(others),
        low=area.low,
        high=area.high,
        better="lower",
        partial=partial,
    )
    share = Quantity(
        name=f"members_caught_at_{params.false_positive_rate:g}_fpr",
        value=hits / n,
        unit="fraction",
        n=n,
        low=low,
        high=high,
        better="lower",
        partial=partial,
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"the loss tells training records from others with AUC {area.value:.3f}",
        severity=THREAT.severity(measured),
        detail=(
            f"AUC {area.value:.3f} (95 % interval {area.low:.3f} to {area.high:.3f}); {hits} of {n} training records "
            f"are caught when at most {params.false_positive_rate:.1%} of others are accused. Stronger attacks exist."
        ),
        params=params.as_dict(),
        quantities=(measured, share),
        locations=(Location(uri="train data"),),
        remedies=("train with early stopping, weight decay or differential privacy", "answer with labels, not scores"),
        references=spec.references,
    )
