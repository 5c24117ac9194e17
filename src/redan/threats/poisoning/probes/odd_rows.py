"""Training rows that are repeated, nearly repeated, or far from all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Table
from redan.core.probe import Spec
from redan.kernels.odd_rows.far import distances, outlying
from redan.kernels.odd_rows.repeated import groups, near_pairs, typical_distance
from redan.threats.poisoning.counted import MOST_SHOWN, array, rate
from redan.threats.poisoning.reading import Rows, class_name, rows_of
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject

LEAST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OddRowsParams(core_params.Params):
    """Parameters of the search for odd rows.

    Attributes:
        near: distance below which two rows are nearly the same, as a share of the median distance of two rows.
    """

    near: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What is odd about n rows.

    Attributes:
        first: (n,) the first row with the same bytes.
        pairs: (m, 2) rows that are nearly the same, among those that are not the same.
        whole: whether all such pairs were found.
        far: (n,) bool, far from all others.
        distance: (n,) by which that was decided.
    """

    first: NDArray[np.int64]
    pairs: NDArray[np.int64]
    whole: bool
    far: NDArray[np.bool_]
    distance: NDArray[np.float64]

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Rows that another row before them equals."""
        return np.asarray(self.first != np.arange(len(self.first)))

    @property
    def near(self) -> NDArray[np.bool_]:
        """Rows that are nearly the same as one before them."""
        mask = np.zeros(len(self.first), bool)
        mask[self.pairs[:, 1]] = True
        return mask


@probe(
    Spec(
        id="RDN-POI-011",
        name="odd-rows",
        threat="poisoning",
        title="Repeated, nearly repeated and outlying training rows",
        source="Ramaswamy, Rastogi & Shim 2000, SIGMOD, section 2; Tukey 1977, section 2D",
        needs=("labels",),
        data=("train",),
        cost="seconds",
        references=("atlas:AML.T0020", "owasp:ML02", "doi:10.1145/342009.335437"),
    )
)
class OddRows:
    """Finds training rows that occur twice, nearly twice, or far from everything else.

    What it measures:
        The share of rows that are odd in one of three ways, each share, and how many repeated rows have another label
        than their first occurrence.

    Why it matters:
        Whoever poisons with few rows repeats them; a repeated row with two labels is an error or an attack; a row far
        from all others teaches the model something that no other row holds against. Repeated rows between training
        and test make every figure of accuracy too good.

    How:
        Equal rows by the digest of their bytes. Nearly equal rows by Euclidean distance, found along principal axes.
        Far rows by the distance to the fifth nearest of 2000 others, on what enters the model's last layer where the
        model shows it, beyond Tukey's fence for their logarithms.

    Shapes:
        train: (n, …) numbers with (n,) classes, n at least 20.

    Units:
        Shares of rows; distances on the rows' own scale.

    Error of the estimate:
        Wilson 95 % intervals of the shares. Every data set has some far rows: they are for looking at.

    Cost:
        One forward pass; near repeats cost most where many rows lie close together, and end after 4096 neighbours.

    Sources:
        Ramaswamy, Rastogi & Shim 2000, "Efficient algorithms for mining outliers from large data sets"; Tukey 1977,
        "Exploratory data analysis".

    Limits:
        A shifted or mirrored picture is no near repeat by pixels. A poison that blends in is neither repeated nor far.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = OddRowsParams

    def run(
        self, subject: Subject, inputs: Inputs, params: OddRowsParams, *, budget: Budget, seed: int, observe: Observer
    ) -> Iterator[Finding]:
        """Look at every row and yield one finding.

        Raises:
            UsageError: ``near`` is not above 0 and below 1.
        """
        if not 0 < params.near < 1:
            raise UsageError(f"near={params.near:g}; expected a share above 0 and below 1")
        observe.started(self.spec.name, len(inputs.role("train")))
        rows = rows_of(subject, inputs.role("train"), budget, least=LEAST)
        found = None if rows is None else _odd(rows, params.near, budget, seed)
        if rows is None or found is None:
            return
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, rows, found)


def _odd(rows: Rows, near: float, budget: Budget, seed: int) -> Found | None:
    first = groups(rows.data.x)
    single = np.flatnonzero(first == np.arange(len(first)))
    flat: Any = np.asarray(rows.data.x, np.float32).reshape(len(first), -1)[single]
    pairs, whole = np.zeros((0, 2), np.int64), True
    if len(single) > 1:
        pairs, whole = near_pairs(flat, near * typical_distance(flat, seed), budget.stop)
    distance = distances(rows.columns, rows.data.indices, seed, budget.stop)
    if distance is None:
        return None
    return Found(first=first, pairs=single[pairs], whole=whole, far=outlying(distance), distance=distance)


def _finding(spec: Spec, subject: Subject, params: OddRowsParams, rows: Rows, found: Found) -> Finding:
    n, y = len(found.first), rows.data.y
    contrary = found.repeated & (y != y[found.first])
    odd = found.repeated | found.near | found.far
    cut = not found.whole
    measured = rate("odd_row_rate", int(odd.sum()), n, partial=cut)
    parts = (
        rate("repeated_rate", int(found.repeated.sum()), n),
        rate("contradicted_rate", int(contrary.sum()), n),
        rate("near_repeat_rate", int(found.near.sum()), n, partial=cut),
        rate("outlier_rate", int(found.far.sum()), n),
    )
    counts = [int(mask.sum()) for mask in (found.repeated, contrary, found.near, found.far)]
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{int(odd.sum())} of {n} training rows are repeated, nearly repeated or far from all others",
        severity=THREAT.severity(measured),
        confidence="possible",
        detail=(
            f"{counts[0]} rows equal one before them, {counts[1]} of these under another label; {counts[2]} are nearly "
            f"equal to one before them; {counts[3]} lie far from all others."
            + (" The search for near repeats was cut short." if cut else "")
        ),
        params=params.as_dict(),
        quantities=(measured, *parts),
        tables=(_by_class(subject, rows, found), _shown(subject, rows, found, contrary)),
        locations=(Location(uri=rows.data.name),),
        evidence=(
            array("repeated", _named(rows, found.repeated, found.first), "pairs of rows of the source that are equal"),
            array("near", rows.data.indices[found.pairs], "pairs of rows of the source that are nearly equal"),
            array("far", rows.data.indices[found.far], "rows of the source far from all others"),
        ),
        remedies=("remove repeated rows, decide on those with two labels, and look at the far ones",),
        references=spec.references,
    )


def _named(rows: Rows, mask: NDArray[np.bool_], first: NDArray[np.int64]) -> NDArray[Any]:
    return np.stack([rows.data.indices[first[mask]], rows.data.indices[mask]], axis=1)


def _by_class(subject: Subject, rows: Rows, found: Found) -> Table:
    lines: list[tuple[Scalar, ...]] = []
    for label in rows.present.tolist():
        own = rows.data.y == label
        counts = [int((own & mask).sum()) for mask in (found.repeated, found.near, found.far)]
        lines.append((class_name(subject, rows.data, label), int(own.sum()), *counts))
    columns = ("class", "rows", "repeated", "nearly repeated", "far")
    return Table(name="odd_rows_by_class", columns=columns, rows=tuple(lines))


def _shown(subject: Subject, rows: Rows, found: Found, contrary: NDArray[np.bool_]) -> Table:
    """List contradicted repeats first, then the farthest rows."""
    far = np.flatnonzero(found.far)
    order = (*np.flatnonzero(contrary).tolist(), *far[np.argsort(-found.distance[far], kind="stable")].tolist())
    lines = tuple(
        (
            int(rows.data.indices[row]),
            class_name(subject, rows.data, int(rows.data.y[row])),
            f"equals row {int(rows.data.indices[found.first[row]])} under another label" if contrary[row] else "far",
            round(float(found.distance[row]), 4),
        )
        for row in order[:MOST_SHOWN]
    )
    return Table(name="oddest_rows", columns=("row", "label", "what is odd", "distance"), rows=lines)
