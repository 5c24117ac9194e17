"""How far a data set lies from a reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Finding, Location, Quantity, Series, Severity
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.drift.comparing import Comparison, Drift

SEVERITIES = {"none": Severity.INFO, "small": Severity.LOW, "medium": Severity.MEDIUM, "large": Severity.HIGH}
NAMES = {"ks": "ks_distance", "v": "cramers_v", "missing": "missing_rate_difference"}
UNITS = {"psi": "nats", "wasserstein": "sd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftParams(core_params.Params):
    """What to compare with, and how.

    Attributes:
        reference: path of the data that the subject is compared with.
        label: column with the classes; its shares are compared as priors.
        words: columns of a text table that hold text, with commas between.
    """

    reference: str = ""
    label: str = ""
    words: str = ""


@probe(
    Spec(
        id="RDN-SUP-038",
        name="drift",
        threat="supply_chain",
        title="Drift of a data set from a reference: effects with intervals, one classifier over all columns",
        source="Rabanser et al. 2019, Failing loudly, section 3; Lopez-Paz and Oquab 2017",
        needs=("bytes",),
        cost="seconds",
        references=("atlas:AML.T0020", "owasp:ML02", "arxiv:1810.11953", "arxiv:1610.06545"),
        default=False,
    )
)
class DataDrift:
    """Compares two data sets column by column and as a whole.

    What it measures:
        Numbers: Kolmogorov-Smirnov distance, population stability index, Wasserstein distance. Categories and class
        priors: Cramér's V without its bias. Missing cells: difference of rates. Images: brightness and the eight main
        components of the reference. All together: AUC of a classifier on unseen rows.

    Why it matters:
        What was measured on one distribution need not hold on another; slow poisoning looks like drift.

    How:
        Small, medium and large are judged by the effect on Cohen's scale; the p-values, adjusted by Holm over all tests
        of the comparison, only decide whether it may be chance.

    Shapes:
        Input: two tables, array files or folders of images. Output: one finding for each column that drifts, and one
        about the whole with every column's effect.

    Units:
        Distances and V between 0 and 1, PSI in nats, Wasserstein distance in standard deviations of the reference.

    Error of the estimate:
        95 % intervals; at most one comparison in twenty of equal distributions raises any alarm.

    Cost:
        About half a CPU second for a million rows a column, plus reading.

    Sources:
        Rabanser, Günnemann and Lipton, NeurIPS 2019; Lopez-Paz and Oquab, ICLR 2017; Holm 1979; Bergsma 2013;
        Cohen 1988.

    Limits:
        Rows are taken as independent. Infinite values count as missing. The classifier sees at most 50 000 rows of each
        side and 256 columns. Images are compared after being made 14 by 14, in grey.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DriftParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: DriftParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Read both, compare them, and yield what drifts and then the whole."""
        if not params.reference:
            raise Skipped("no reference was named", hint="redan data drift REFERENCE CURRENT")
        from redan.core.seeds import derive
        from redan.evidence.datasets.pairing import paired

        observe.started("drift", 1)
        words = frozenset(word for word in params.words.split(",") if word)
        samples, left = paired(Path(params.reference), subject.root, label=params.label, words=words)
        if budget.stop():
            return
        from redan.kernels.drift.comparing import compare

        found = compare(samples, seed=derive(seed, "RDN-SUP-038"))
        name = subject.root.name
        if not found.drifts and found.overall is None:
            raise ShapeMismatch(f"{name!r} or its reference has fewer than 20 rows, so nothing can be compared")
        for _, shown in subject.files():
            yield Examined(path=shown, format="data", by=("drift",))
        for column, why in left:
            yield Unexamined(path=f"{name}, column {column!r}", why=why)
        for column in found.too_few:
            yield Unexamined(path=f"{name}, column {column!r}", why="fewer than 20 values on one side")
        for drift in found.drifts:
            if drift.verdict != "none":
                yield _column(drift, name, params.label)
        yield _whole(found, name, Path(params.reference).name)
        observe.finished("drift", f"{len(found.drifts)} comparisons")


def _column(drift: Drift, name: str, label: str) -> Finding:
    effect = drift.effect
    what = {"ks": "its distribution moved", "v": "the shares of its categories moved", "missing": "missing cells moved"}
    said = "the class priors moved" if drift.name == label and effect.measure == "v" else what[effect.measure]
    value = f"{NAMES[effect.measure].replace('_', ' ')} {effect.effect.value:.3f}"
    span = f"{effect.effect.low:.3f} to {effect.effect.high:.3f}"
    title = f"{name}: {drift.name}: {said}, {drift.verdict}: {value} [{span}], adjusted p {_p(drift.p_adjusted)}"
    quantities = [_quantity(NAMES[effect.measure], effect.effect, effect.n_current, "fraction")]
    quantities += [_quantity(key, value, effect.n_current, UNITS[key]) for key, value in effect.others.items()]
    params = {"column": drift.name, "measure": effect.measure}
    return _finding(title, SEVERITIES[drift.verdict], name, params, quantities, (), drift.name)


def _whole(found: Comparison, name: str, reference: str) -> Finding:
    drifted = {d.name for d in found.drifts if d.verdict != "none"}
    columns = {d.name for d in found.drifts}
    counted = f"{len(drifted)} of {len(columns)} columns drifted from {reference}"
    quantities = []
    if found.overall is None:
        said = "too few rows for a classifier over all columns"
    else:
        auc = found.overall.auc
        said = f"a classifier tells the rows apart with AUC {auc.value:.3f} [{auc.low:.3f} to {auc.high:.3f}]"
        said += f", {found.overall_verdict}, adjusted p {_p(found.overall_adjusted)}"
        quantities.append(_quantity("domain_auc", auc, found.overall.n, "fraction"))
    severity = SEVERITIES[found.overall_verdict]
    params: dict[str, Any] = {"column": "", "measure": "domain"}
    return _finding(f"{name}: {counted}; {said}", severity, name, params, quantities, _curves(found), "")


def _curves(found: Comparison) -> tuple[Series, ...]:
    curves = []
    for measure, series_name in NAMES.items():
        drifts = [d for d in found.drifts if d.effect.measure == measure]
        if drifts:
            curves.append(
                Series(
                    name=f"{series_name}_by_column",
                    x=tuple(d.name for d in drifts),
                    y=tuple(d.effect.effect.value for d in drifts),
                    low=tuple(d.effect.effect.low for d in drifts),
                    high=tuple(d.effect.effect.high for d in drifts),
                    n=tuple(d.effect.n_current for d in drifts),
                    x_unit="column",
                    y_unit="fraction",
                )
            )
    return tuple(curves)


def _finding(
    title: str,
    severity: Severity,
    name: str,
    params: dict[str, Any],
    quantities: list[Quantity],
    series: tuple[Series, ...],
    column: str,
) -> Finding:
    from redan.threats.supply_chain.rules.data_drift import RULE

    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=name,
        title=title,
        severity=severity,
        detail=RULE.title if severity > Severity.INFO else "What differs may be chance, or is too small to matter.",
        params=params,
        quantities=tuple(quantities),
        series=series,
        locations=(Location(uri=name, address=f"column {column}" if column else ""),),
        remedies=(RULE.remedy,),
        references=RULE.references,
    )


def _quantity(name: str, estimate: Any, n: int, unit: str) -> Quantity:
    return Quantity(
        name=name, value=estimate.value, unit=unit, n=n, low=estimate.low, high=estimate.high, better="lower"
    )


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
