"""Columns that know the answer: leaks of the label into the data, and shortcuts that a model rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.statistics import difference
from redan.subjects.failures import needing
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.explain.single_columns import Alone

    class Labelled(Subject, Labels):
        """A subject with labels."""


LEAST = 50
MOST_ROWS = 5000
MOST_COLUMNS = 300
SHOWN = 10
AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyColumnParams(core_params.Params):
    """Parameters of the search for leaks.

    Attributes:
        records: most rows to look at, those with the smallest indices.
    """

    records: int = MOST_ROWS


@probe(
    Spec(
        id="RDN-POI-030",
        name="leaky-column",
        threat="poisoning",
        title="A column that tells the class too well",
        source="Kaufman, Rosset, Perlich & Stitelman 2012, ACM TKDD 6(4), section 4 (leakage detection)",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("cwe:1039", "doi:10.1145/2382577.2382579"),
    )
)
class LeakyColumn:
    """Measures how well each column alone tells the class, and how much the model rests on the best of them.

    What it measures:
        The AUC with which one column alone tells one class from the others, for the column that does it best; and how
        much accuracy the model loses when that column is shuffled.

    Why it matters:
        A column that knows the answer is often written after the answer was known, or planted: the model shines in
        tests and fails where the column is missing or forged.

    How:
        A small tree on each column alone, out of fold, so that any shape of dependence counts. The columns that tell
        most are shuffled among the rows, one at a time, and the model is asked again.

    Shapes:
        x: (n, d) numbers, d up to 300; y: (n,) class indices.

    Units:
        AUC between 0 and 1, 0.5 is guessing; accuracy lost in percentage points.

    Error of the estimate:
        DeLong 95 % interval for the AUC. The best of d columns and of k classes is shown, which flatters it by a
        little: an AUC near 1 does not come from choosing.

    Cost:
        Five small trees a column, and one answer a row for each of at most ten columns.

    Sources:
        Kaufman, Rosset, Perlich & Stitelman 2012, "Leakage in data mining", section 4.

    Limits:
        Some problems are easy: whether the column is known at the time of the decision, only its owner can say. A leak
        spread over several columns is not seen.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LeakyColumnParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: LeakyColumnParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Try each column of the training rows, or of the test rows where there are none, and yield one finding."""
        data = _table_of(inputs, params.records)
        if budget.stop():
            return
        observe.started(self.spec.name, data.x.shape[1])
        with needing(self.spec.name):
            from redan.kernels.explain.single_columns import alone

            found = alone(np.asarray(data.x, np.float64), np.asarray(data.y), seed=derive(seed, self.spec.id) % 2**31)
        if not found:
            raise Skipped(f"{data.name!r} has fewer than two classes with enough rows")
        shuffled = _shuffled(subject, data, [one.column for one in found[:SHOWN]], budget, seed, self.spec.id)
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, data, found, shuffled)


def _table_of(inputs: Inputs, most: int) -> Dataset:
    data = inputs.train if inputs.train is not None else inputs.role("test")
    shape = np.shape(data.x)[1:]
    if len(shape) != 1 or shape[0] > MOST_COLUMNS:
        raise Skipped(f"columns are looked at in tables of at most {MOST_COLUMNS}; an input has shape {shape}")
    if len(data) < LEAST:
        raise Skipped(f"{data.name!r} has {len(data)} rows; expected at least {LEAST}")
    if np.asarray(data.x).dtype.kind not in "biuf" or not np.isfinite(np.asarray(data.x)).all():
        raise ShapeMismatch(f"{data.name!r} holds values that are no finite numbers")
    return data.rows(np.argsort(data.indices, kind="stable")[: max(LEAST, most)])


def _shuffled(
    subject: Labelled, data: Dataset, columns: list[int], budget: Budget, seed: int, key: str
) -> dict[int | None, int]:
    """Return how many answers are right with each column shuffled, and under None with none; as far as allowed."""
    keys = sample_keys(seed, key, data.indices)
    right: dict[int | None, int] = {}
    for column in (None, *columns):
        left = budget.left_queries()
        if budget.stop() or (left is not None and left < len(data)):
            break
        x: Any = np.array(data.x)
        if column is not None:
            order = np.argsort(uniform(keys, (1,), stream=column)[:, 0], kind="stable")
            x[:, column] = x[order, column]
        budget.charge(queries=len(x))
        told = [subject.labels(x[i : i + AT_ONCE]) for i in range(0, len(x), AT_ONCE)]
        right[column] = int((np.concatenate(told) == data.y).sum())
    return right


def _finding(
    spec: Spec,
    subject: Subject,
    params: LeakyColumnParams,
    data: Dataset,
    found: tuple[Alone, ...],
    right: dict[int | None, int],
) -> Finding:
    best, n = found[0], len(data)
    name = _name(data, best.column)
    # without the answers that the budget cut off it is not said what the model rests on
    cut = len(right) < 1 + min(SHOWN, len(found))
    area = Quantity(
        name="single_column_auc",
        value=best.auc.value,
        unit="auc",
        n=n,
        low=best.auc.low,
        high=best.auc.high,
        better="lower",
        partial=cut,
    )
    lost = _lost(right, best.column, n)
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"column {name} alone tells class {_class(data, best.of_class)} with AUC {best.auc.value:.3f}",
        # judged from the end that is sure: an alarm about every easy problem with few rows would be heard by nobody
        severity=THREAT.severity(replace(area, high=area.low)),
        detail=(
            "Ask whether this column is known, and can be trusted, at the time of the decision. "
            + (f"Shuffled, it costs the model {lost.value:.1f} points of accuracy." if lost else "")
        ).strip(),
        params=params.as_dict(),
        quantities=(area, *((replace(lost, partial=cut),) if lost else ())),
        tables=(
            Table(
                name="columns",
                columns=("column", "AUC alone", "class", "points lost when shuffled"),
                rows=tuple(_row(data, one, right, n) for one in found[:SHOWN]),
            ),
        ),
        locations=(Location(uri=data.name, address=f"column {name}"),),
        remedies=("leave the column out if it is written after the decision", "see who can write it"),
        references=spec.references,
    )


def _lost(right: dict[int | None, int], column: int, n: int) -> Quantity | None:
    if column not in right or None not in right:
        return None
    moved = difference((right[column], n), (right[None], n))
    return Quantity(
        name="accuracy_lost_without",
        value=100 * moved.value,
        unit="points",
        n=n,
        low=100 * moved.low,
        high=100 * moved.high,
        better="lower",
    )


def _row(data: Dataset, one: Alone, right: dict[int | None, int], n: int) -> tuple[str, float, str, str]:
    lost = _lost(right, one.column, n)
    said = f"{lost.value:.1f} ({lost.low:.1f} to {lost.high:.1f})" if lost else "not asked"
    return _name(data, one.column), round(one.auc.value, 4), _class(data, one.of_class), said


def _name(data: Dataset, column: int) -> str:
    return data.columns[column] if column < len(data.columns) else f"column{column}"


def _class(data: Dataset, index: int) -> str:
    return data.classes[index] if index < len(data.classes) else str(index)
