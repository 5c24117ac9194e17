"""What a membership attack found: how well it tells, whom it catches, and which records are most at risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Table
from redan.kernels.inference.rmia import outdone
from redan.kernels.membership import auc, caught
from redan.kernels.statistics import clopper_pearson
from redan.threats.privacy.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.finding import Scalar
    from redan.core.probe import Spec
    from redan.threats.privacy.pool import Pool

RATES = (0.001, 0.01)
GRID = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
MOST_EXPOSED = 10
REMEDIES = (
    "train with differential privacy, early stopping or weight decay",
    "answer with labels, or with rounded or fewer scores, where the caller needs no more",
    "leave the most exposed records out, if the model can do without them",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What an attack says of a pool of records.

    Attributes:
        pool: the records.
        scores: (n,) higher means "member".
        how: what was done, for the reader, one sentence or more.
        columns: further numbers for each record, by the head of their column, kept as evidence.
        partial: why it was cut short, else empty.
    """

    pool: Pool
    scores: NDArray[np.float64]
    how: str
    columns: dict[str, NDArray[np.float64]]
    partial: str = ""

    @property
    def members(self) -> NDArray[np.float64]:
        """Scores of records that the model learned from."""
        return self.scores[self.pool.member]

    @property
    def others(self) -> NDArray[np.float64]:
        """Scores of records that it did not."""
        return self.scores[~self.pool.member]


def finding(spec: Spec, name: str, params: dict[str, Scalar], told: Told) -> Finding:
    """Put AUC, shares caught, curve, most exposed records and the risk of each record together.

    The severity is the worse of what AUC and the share caught at one false accusation in a hundred say: an average
    hides people at risk.
    """
    area = auc(told.members, told.others)
    n = len(told.scores)
    measured = Quantity(
        name="membership_auc",
        value=area.value,
        unit="auc",
        n=n,
        low=area.low,
        high=area.high,
        better="lower",
        partial=bool(told.partial),
    )
    shares = tuple(_caught(told, rate) for rate in RATES)
    few = shares[-1]
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=(
            f"{spec.name} tells training records from others with AUC {area.value:.3f}; {100 * few.value:.1f} % are "
            "caught at 1 % false accusations"
        ),
        severity=max(THREAT.severity(q) for q in (measured, *shares)),
        detail=_detail(told, measured, shares),
        params=params,
        quantities=(measured, *shares),
        series=(_curve(told),),
        tables=(_most_exposed(told),),
        locations=(Location(uri="train data"),),
        evidence=(
            Evidence.of("risk", _rows(told), "text/csv", "every record with its score and at what price it is accused"),
        ),
        remedies=REMEDIES,
        references=spec.references,
    )


def _caught(told: Told, rate: float) -> Quantity:
    n = len(told.members)
    hits = caught(told.members, told.others, rate)
    low, high = clopper_pearson(hits, n)
    return Quantity(
        name=f"members_caught_at_{rate:g}_fpr",
        value=hits / n,
        unit="fraction",
        n=n,
        low=low,
        high=high,
        better="lower",
        partial=bool(told.partial),
    )


def _curve(told: Told) -> Series:
    """Return the ROC at false positive rates that the others can resolve; a share below one record is left out."""
    rates = [rate for rate in GRID if rate * len(told.others) >= 1]
    n = len(told.members)
    hits = [caught(told.members, told.others, rate) for rate in rates]
    ends = [clopper_pearson(k, n) for k in hits]
    return Series(
        name="roc",
        x=(*rates, 1.0),
        y=(*(k / n for k in hits), 1.0),
        low=(*(low for low, _ in ends), 1.0),
        high=(*(high for _, high in ends), 1.0),
        n=(n,) * (len(rates) + 1),
        x_unit="false positive rate",
        y_unit="fraction",
    )


def _detail(told: Told, area: Quantity, shares: tuple[Quantity, ...]) -> str:
    others = len(told.others)
    least = 1 / min(RATES)
    words = [
        f"AUC {area.value:.3f} (95 % interval {area.low:.3f} to {area.high:.3f}; 0.5 is guessing) on "
        f"{len(told.members)} training records and {others} others.",
        told.how,
    ]
    if others < least:
        words.append(
            f"{others} others cannot resolve 0.1 %: that figure is the share above every one of them; it needs "
            f"{least:.0f}."
        )
    words.append(
        "Intervals of the shares caught are over members at the threshold found; with few others it varies too."
    )
    if told.partial:
        words.append(f"Cut short: {told.partial}.")
    return " ".join(words)


def price(told: Told) -> NDArray[np.float64]:
    """Return for each record the share of others that would be accused wrongly before it is."""
    return np.asarray(1 - outdone(told.scores, told.others))


def _most_exposed(told: Told) -> Table:
    cost = price(told)
    places = np.flatnonzero(told.pool.member)
    ranked = places[np.argsort(-told.scores[places], kind="stable")][:MOST_EXPOSED]
    names, classes, y = told.pool.names, told.pool.data.classes, told.pool.data.y

    def shown(place: int) -> tuple[Scalar, ...]:
        kind = classes[int(y[place])] if classes else str(int(y[place]))
        return names[place], kind, float(f"{told.scores[place]:.4g}"), float(f"{cost[place]:.4g}")

    return Table(
        name="most_exposed_training_records",
        columns=("record", "class", "score", "others accused before it"),
        rows=tuple(shown(int(place)) for place in ranked),
    )


def _rows(told: Told) -> bytes:
    heads = ["record", "member", "class", *told.columns, "score", "false_positive_rate"]
    cost, y = price(told), told.pool.data.y
    lines = [",".join(heads)]
    for place, name in enumerate(told.pool.names):
        own = (f"{values[place]:.6g}" for values in told.columns.values())
        member = int(told.pool.member[place])
        lines.append(
            ",".join([name, str(member), str(int(y[place])), *own, f"{told.scores[place]:.6g}", f"{cost[place]:.6g}"])
        )
    return ("\n".join(lines) + "\n").encode()
