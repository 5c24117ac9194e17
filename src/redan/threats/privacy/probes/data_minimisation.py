"""What a model is given beyond what it needs: columns, and exactness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.statistics import difference, wilson
from redan.subjects.fit import check_fit
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.anonymity.needing import Coarse

    class Answering(Subject, Labels):
        """A subject with labels."""


LEAST = 10
MOST_COLUMNS = 500
REMEDIES = (
    "leave out the columns that the model does not need, and train again: redan data anonymise DATA --drop COLUMN",
    "ask people for ranges instead of exact values where the table says so",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMinimisationParams(core_params.Params):
    """How far to go.

    Attributes:
        tolerance: fraction of accuracy that all columns together may cost.
        rows: most rows, one half for the choice and the other for what is reported.
    """

    tolerance: float = 0.01
    rows: int = 2000


@probe(
    Spec(
        id="RDN-PRI-052",
        name="data-minimisation",
        threat="privacy",
        title="Columns that the model does not need, and values finer than it needs",
        source="Goldsteen et al. 2022, AI and Ethics, section 3",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("arxiv:2008.04113", "cwe:359"),
        default=False,
    )
)
class DataMinimisation:
    """Measures which columns a model can do without, and how coarse the others may be.

    What it measures:
        The share of columns that can be one value for all rows, and of those that can be ranges, while accuracy falls
        by no more than a tolerance; with accuracy before and after on rows that played no part in the choice.

    Why it matters:
        What is not collected cannot leak, and data protection law asks for no more than the purpose needs.

    How:
        Columns are tried from the one that matters least, alone replaced by its mean: first as one value, then as 2 to
        32 ranges told by their means, each choice kept while the next are tried.

    Shapes:
        x: (n, columns) numbers; y: (n,) classes. One finding.

    Units:
        Fractions of columns and of rows.

    Error of the estimate:
        Accuracy by Wilson's interval on the second half of the rows; the difference by Newcombe's, wider than needed
        since both are of the same rows.

    Cost:
        At most eight predictions of half the rows for each column.

    Sources:
        Goldsteen, Ezov, Shmelkin, Moffie & Farkas 2022, "Data minimization for GDPR compliance in machine learning
        models".

    Limits:
        The model is taken as it is: trained again without the columns it may need other ones. Columns that say the same
        stand for each other, and which is left is one choice of several. Accuracy over all rows says nothing of small
        groups: measure bias again.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DataMinimisationParams

    def run(
        self,
        subject: Answering,
        inputs: Inputs,
        params: DataMinimisationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Choose on one half and yield one finding from the other."""
        data = victims(inputs.role("test"), params.rows, least=2 * LEAST)
        check_fit(subject, data)
        if data.x.ndim != 2 or not 2 <= data.x.shape[1] <= MOST_COLUMNS:
            raise Skipped(f"an input of {data.name!r} is no row of a table with 2 to {MOST_COLUMNS} columns")
        observe.started("data-minimisation", 1)
        x = data.x.astype(np.float64)
        chosen = _chosen(subject, x[0::2], data.y[0::2], params.tolerance, budget, data.x.dtype)
        if chosen is None:
            raise BudgetSpent(budget.stop() or "the budget is spent")
        yield _finding(subject, params, data, chosen)
        observe.finished("data-minimisation")


def _chosen(
    subject: Answering, x: NDArray[Any], y: NDArray[Any], tolerance: float, budget: Budget, dtype: Any
) -> list[Coarse] | None:
    from redan.kernels.anonymity.needing import coarsest

    def correct(changed: NDArray[Any]) -> NDArray[np.bool_] | None:
        return None if budget.stop() else np.asarray(subject.labels(changed.astype(dtype))) == y

    return coarsest(correct, x, tolerance=tolerance)


def _finding(subject: Answering, params: DataMinimisationParams, data: Dataset, chosen: list[Coarse]) -> Finding:
    from redan.kernels.anonymity.needing import applied

    x, y = data.x[1::2], data.y[1::2]
    coarse = applied(chosen, x.astype(np.float64)).astype(x.dtype)
    before = np.asarray(subject.labels(x)) == y
    after = np.asarray(subject.labels(coarse)) == y
    gap = difference((int(after.sum()), len(y)), (int(before.sum()), len(y)))
    names = data.columns or tuple(str(place) for place in range(x.shape[1]))
    spare = [name for name, each in zip(names, chosen, strict=True) if each.ranges == 1]
    ranged = [name for name, each in zip(names, chosen, strict=True) if each.ranges > 1]
    n, d = len(y), len(names)
    quantities = (
        _exact("spare_column_share", len(spare), d),
        _exact("coarse_column_share", len(ranged), d),
        _accuracy("accuracy_before", before),
        _accuracy("accuracy_after", after),
        Quantity(
            name="accuracy_lost", value=gap.value, unit="fraction", n=n, low=gap.low, high=gap.high, better="lower"
        ),
    )
    rows = tuple(
        (
            name,
            ("as it is", "not needed")[each.ranges] if each.ranges < 2 else f"{each.ranges} ranges",
            round(each.drop, 4),
        )
        for name, each in zip(names, chosen, strict=True)
    )
    return Finding(
        rule=DataMinimisation.spec.id,
        threat=DataMinimisation.spec.threat,
        subject=subject.ref.name,
        title=f"{len(spare)} of {d} columns are not needed and {len(ranged)} can be ranges: "
        f"accuracy {before.mean():.1%} → {after.mean():.1%} of {n} rows",
        severity=THREAT.severity(quantities[0]),
        confidence="confirmed",
        detail=f"Not needed: {', '.join(spare[:12]) or 'none'}{' …' if len(spare) > 12 else ''}. Chosen on other rows "
        f"with a tolerance of {params.tolerance:.1%}; lost here: {gap.value:+.1%} [{gap.low:+.1%}, {gap.high:+.1%}].",
        params=params.as_dict(),
        quantities=quantities,
        tables=(Table(name="columns", columns=("column", "needed", "accuracy lost alone"), rows=rows),),
        locations=(Location(uri=data.name),),
        remedies=REMEDIES,
        references=DataMinimisation.spec.references,
    )


def _exact(name: str, count: int, n: int) -> Quantity:
    value = count / n
    return Quantity(name=name, value=value, unit="fraction", n=n, low=value, high=value, better="neither")


def _accuracy(name: str, right: NDArray[np.bool_]) -> Quantity:
    low, high = wilson(int(right.sum()), len(right))
    value = float(right.mean())
    return Quantity(name=name, value=value, unit="fraction", n=len(right), low=low, high=high, better="higher")
