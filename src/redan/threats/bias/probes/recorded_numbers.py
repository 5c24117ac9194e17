"""Numbers that somebody recorded: regressions and rankings compared between groups, without the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped, UnknownName
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.core.report import Examined
from redan.core.seeds import derive
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.evidence.datasets.table import Column
    from redan.evidence.datasets.table import Table as Data
    from redan.kernels.fairness.encoding import Encoded
    from redan.kernels.fairness.numbers import Means

SURE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedNumbersParams(core_params.Params):
    """Which columns hold what.

    Attributes:
        prediction: column of the numbers that the model answered.
        truth: column of what was right; empty when nobody knows.
        sensitive: columns that describe people, with commas between.
        least: rows that a group must have, else it is not tested.
        resamples: of the intervals.
    """

    prediction: str = ""
    truth: str = ""
    sensitive: str = ""
    least: int = 30
    resamples: int = 1000


@probe(
    Spec(
        id="RDN-BIA-009",
        name="recorded-numbers",
        threat="bias",
        title="Recorded predictions of numbers, and the ranking they make, by group",
        source="Agarwal, Dudík & Wu 2019, ICML, section 2; Singh & Joachims 2018, KDD, section 4",
        needs=("bytes",),
        cost="instant",
        references=("nist:ai-rmf-measure-2.11", "arxiv:1905.12843", "arxiv:1802.07281"),
        default=False,
    )
)
class RecordedNumbers:
    """Compares what a model answered to groups of people, and how far that was off, from a table of its answers.

    What it measures:
        For each sensitive column the largest difference between groups in mean error (answer minus truth; of the
        answers themselves where no truth is known), in standard deviations within groups. Beside it the difference of
        mean answers and of mean absolute errors, the largest distance between the groups' distributions of answers,
        and, taking the answers as a ranking, the ratio of exposures and the divergence of its top from the whole.

    Why it matters:
        A price, a wage or a risk that is systematically too high for a group harms it as surely as a refused loan.

    How:
        Means by group, each with its standard error; Welch's test of each group against all others with Holm's
        correction says whether chance explains the gap. Without that no severity is given.

    Shapes:
        CSV, TSV or Parquet with a column of numbers and columns of groups. One finding a sensitive column.

    Units:
        Standard deviations within groups; distances and ratios between 0 and 1.

    Error of the estimate:
        95 % interval of the gap from draws of the group means by their standard errors.

    Cost:
        One pass over the table.

    Sources:
        Agarwal, Dudík & Wu 2019, "Fair regression", section 2; Singh & Joachims 2018, "Fairness of exposure in
        rankings", section 4; Geyik, Ambler & Kenthapadi 2019, definition 2; Welch 1947.

    Limits:
        Truths that were recorded with the same bias hide it. A difference of mean answers alone may be deserved; a
        difference of mean errors hardly is.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RecordedNumbersParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: RecordedNumbersParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Compare the groups of each sensitive column."""
        if not params.prediction or not params.sensitive:
            raise Skipped(
                "no column of predictions or of groups was named",
                hint="redan data fairness TABLE --prediction COLUMN --sensitive COLUMN",
            )
        if why := budget.stop():
            raise BudgetSpent(why)
        import numpy as np

        from redan.evidence.datasets.reading import read_table
        from redan.kernels.fairness.encoding import banded, encode

        observe.started(self.spec.name, 1)
        data = read_table(subject.root)
        answers = _numbers(data, params.prediction)
        truths = _numbers(data, params.truth) if params.truth else None
        known = np.isfinite(answers) & (np.isfinite(truths) if truths is not None else True)
        for name in (each.strip() for each in params.sensitive.split(",") if each.strip()):
            column = _column(data, name)
            here = known & ~np.asarray(column.missing, bool)
            groups = banded(encode(np.asarray(column.values)[here]), most=12, bands=4)
            held = Held(answers=answers[here], truths=None if truths is None else truths[here], groups=groups)
            generator = np.random.default_rng(derive(seed, self.spec.id, name))
            yield _finding(self.spec, subject.root.name, name, held, params, generator)
        yield Examined(path=subject.root.name, format="data", by=(self.spec.name,))
        observe.finished(self.spec.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """The rows of one sensitive column that can be compared."""

    answers: NDArray[Any]
    truths: NDArray[Any] | None
    groups: Encoded


def _column(data: Data, name: str) -> Column:
    column = data.column(name)
    if column is None:
        raise UnknownName.among(f"column in {data.name}", name, [each.name for each in data.columns])
    return column


def _numbers(data: Data, name: str) -> NDArray[Any]:
    column = _column(data, name)
    if column.kind == "text":
        raise ShapeMismatch(
            f"column {name!r} of {data.name!r} holds text; expected numbers",
            hint="of decisions instead of numbers: redan attack MODEL --threat bias",
        )
    return column.values


def _finding(spec: Spec, subject: str, name: str, held: Held, params: RecordedNumbersParams, generator: Any) -> Finding:
    import numpy as np

    from redan.kernels.fairness.numbers import means

    codes, levels = held.groups.codes, held.groups.levels
    measured = held.answers if held.truths is None else held.answers - held.truths
    found = means(measured, codes, len(levels))
    chosen = found.n >= max(2, params.least)
    small = tuple(level for level, ok in zip(levels, chosen, strict=True) if not ok)
    told = "answers" if held.truths is None else "errors"
    if int(chosen.sum()) < 2:
        raise Skipped(f"fewer than two groups of {name} have {params.least} rows; not tested is not fair")
    headline = _gap(f"{'answer' if held.truths is None else 'error'}_gap", found, chosen, params.resamples, generator)
    contrasts, p = _contrasts(measured, codes, chosen, levels)
    sure = p < SURE
    others = _others(held, chosen, params, generator)
    n = int(np.asarray(found.n)[chosen].sum())
    untested = f" Not tested, fewer than {params.least} rows: {', '.join(small[:5])}." if small else ""
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject,
        title=f"{name}: mean {told} of groups lie {headline.value:.2f} deviations apart"
        + ("" if sure else ", within chance"),
        severity=THREAT.severity(headline) if sure else Severity.INFO,
        confidence="confirmed" if sure else "possible",
        detail=(
            f"95 % interval {headline.low:.2f} to {headline.high:.2f} standard deviations within groups, {n:,} rows; "
            f"p = {p:.2g} after Holm's correction.{untested}"
        ),
        params=params.as_dict(),
        quantities=(headline, *others),
        tables=(_groups(held, levels, chosen), contrasts),
        locations=(Location(uri=subject, address=name),),
        remedies=("fit with the errors of each group in view, or correct answers by group on rows held out",),
        references=spec.references,
    )


def _gap(name: str, found: Means, chosen: NDArray[Any], resamples: int, generator: Any) -> Quantity:
    from redan.kernels.fairness.bootstrap import around
    from redan.kernels.fairness.numbers import gap, gap_resamples

    value = gap(found, chosen)
    low, high = (
        around(value, gap_resamples(found, chosen, resamples, generator)) if math.isfinite(value) else (0.0, value)
    )
    return Quantity(
        name=name,
        value=value,
        unit="deviations",
        n=int(found.n[chosen].sum()),
        low=max(0.0, low),
        high=high,
        better="lower",
    )


def _others(held: Held, chosen: NDArray[Any], params: RecordedNumbersParams, generator: Any) -> tuple[Quantity, ...]:
    import numpy as np

    from redan.kernels.fairness.numbers import means
    from redan.kernels.fairness.scores import exposures, ndkl

    codes, n_groups = held.groups.codes, len(held.groups.levels)
    found = []
    if held.truths is not None:
        for name, values in (
            ("answer_gap", held.answers),
            ("absolute_error_gap", np.abs(held.answers - held.truths)),
        ):
            found.append(_gap(name, means(values, codes, n_groups), chosen, params.resamples, generator))
    order = np.argsort(-held.answers, kind="stable")
    shown = exposures(codes[order], n_groups)[chosen]
    n = int(np.isin(codes, np.flatnonzero(chosen)).sum())
    ratio, top = float(shown.min() / shown.max()), ndkl(codes[order], n_groups)
    plain = {
        "largest_distribution_distance": (_kolmogorov(held.answers, codes, chosen), "lower"),
        "ratio_of_exposures": (ratio, "higher"),
        "top_divergence": (top, "lower"),
    }
    found += [
        Quantity(name=name, value=value, unit="ratio", n=n, low=value, high=value, better=better)  # type: ignore[arg-type]  # one of the words
        for name, (value, better) in plain.items()
    ]
    return tuple(found)


def _kolmogorov(answers: NDArray[Any], codes: NDArray[Any], chosen: NDArray[Any]) -> float:
    """Return the largest Kolmogorov-Smirnov distance between two groups."""
    import numpy as np

    grid = np.sort(answers)
    shares = [
        np.searchsorted(np.sort(answers[codes == g]), grid, side="right") / max(1, int((codes == g).sum()))
        for g in np.flatnonzero(chosen)
    ]
    return float(np.ptp(np.stack(shares), axis=0).max())


def _contrasts(
    measured: NDArray[Any], codes: NDArray[Any], chosen: NDArray[Any], levels: tuple[str, ...]
) -> tuple[Table, float]:
    import numpy as np

    from redan.kernels.fairness.numbers import against_others
    from redan.kernels.fairness.significance import holm

    kept = np.isin(codes, np.flatnonzero(chosen))
    told = [(g, *against_others(measured[kept], codes[kept] == g)) for g in np.flatnonzero(chosen)]
    corrected = holm([p for _, _, p in told])
    rows = tuple(
        (levels[g], float(f"{moved:.4g}"), float(f"{p:.3g}"), float(f"{fixed:.3g}"))
        for (g, moved, p), fixed in zip(told, corrected, strict=True)
    )
    table = Table(name="against_others", columns=("group", "above the others", "p", "p (Holm)"), rows=rows)
    return table, min(corrected)


def _groups(held: Held, levels: tuple[str, ...], chosen: NDArray[Any]) -> Table:
    import numpy as np

    rows: list[tuple[Scalar, ...]] = []
    sizes = np.bincount(held.groups.codes, minlength=len(levels))
    for g in np.argsort(-sizes, kind="stable").tolist():
        own = held.groups.codes == g
        answers = held.answers[own]
        errors = None if held.truths is None else answers - held.truths[own]
        cells = (float(f"{answers.mean():.4g}"), *_errors(errors)) if chosen[g] else (None, None, None)
        rows.append((levels[g], int(sizes[g]), *cells))
    columns = ("group", "rows", "mean answer", "mean error", "mean absolute error")
    return Table(name="groups", columns=columns, rows=tuple(rows))


def _errors(errors: NDArray[Any] | None) -> tuple[float | None, float | None]:
    if errors is None:
        return None, None
    return float(f"{errors.mean():.4g}"), float(f"{abs(errors).mean():.4g}")
