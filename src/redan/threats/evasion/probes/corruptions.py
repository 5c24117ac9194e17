"""Common corruptions: errors that nobody intends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped
from redan.core.finding import Finding, Location, Quantity, Series, Table
from redan.core.probe import Spec
from redan.kernels.clustered import Estimate, paired, share
from redan.kernels.draws import sample_keys
from redan.kernels.pictures import is_image
from redan.threats.evasion.measured import percent, rate
from redan.threats.evasion.sampling import chosen, estimated, spent
from redan.threats.evasion.setting import box
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.kernels.corruptions.suite import Corruption

    class Labelled(Subject, Labels):
        """A subject with labels."""


EFFORT = {"quick": (50, (3,)), "standard": (100, (1, 3, 5)), "deep": (1000, (1, 2, 3, 4, 5))}
"""Plan → (most inputs, severities)."""
REMEDIES = (
    "train with the kinds of change that the place of use brings (noise, blur, light, geometry)",
    "check inputs where the model is served, and refuse or re-take those that are too noisy, dark or blurred",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorruptionsParams(core_params.Params):
    """Parameters of the corruptions.

    Attributes:
        plan: how much to ask: quick (50 inputs, severity 3), standard (100, severities 1, 3, 5) or deep (1000, all).
    """

    plan: Literal["quick", "standard", "deep"] = "standard"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corrupted:
    """Who was right where.

    Attributes:
        clean: (n,) bool.
        right: corruption name → (severities, n) bool; only what was measured.
        severities: in order.
        partial: why it was cut short, else empty.
    """

    clean: NDArray[np.bool_]
    right: Mapping[str, NDArray[np.bool_]]
    severities: tuple[int, ...]
    partial: str = ""

    def mean(self) -> NDArray[np.float64]:
        """Return the share of right answers of each input, (n,)."""
        return np.asarray(np.concatenate(list(self.right.values())).mean(axis=0), np.float64)


@probe(
    Spec(
        id="RDN-EVA-050",
        name="corruptions",
        threat="evasion",
        title="Accuracy under common corruptions, without an adversary",
        source="Hendrycks & Dietterich 2019, ICLR, section 4; formulas and strengths are our own",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0015", "arxiv:1903.12261"),
    )
)
class Corruptions:
    """Measures how many answers stay right when inputs are noisy, blurred, veiled, turned or compressed.

    What it measures:
        Accuracy for each corruption and severity, their mean, the worst corruption, and the drop against the clean
        inputs. Images: noise (normal, photons, impulses), blur (soft, defocus, motion), weather (fog, snow, light,
        contrast), geometry (rotation, scale, shift, elastic), storage (fewer pixels, cosine blocks). Tables: noise,
        gaps filled with medians, rounding, wrong units, drift.

    Why it matters:
        Nobody needs to attack a model that fails in rain. What fails here will fail in use, and whoever looks for a
        cheap evasion begins here too.

    How:
        Each input is changed by each corruption at each severity, with draws keyed by its index, and asked once. All
        changes stay within the bounds of the inputs.

    Shapes:
        x: (n, c, h, w) or (n, h, w) images with 1 or 3 channels, or (n, d) tables; y: (n,) class indices.

    Units:
        Fractions. Strengths are shares of the inputs' range, of the shorter side, or of a column's spread.

    Error of the estimate:
        95 % score interval with the effective sample size of inputs, since the same inputs are asked many times; the
        drop is paired by input. The interval of the worst corruption is widened for having been chosen among all.

    Cost:
        One answer for each input, corruption and severity: 4900 with the standard plan.

    Sources:
        Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations".

    Limits:
        The strengths are not those of ImageNet-C, so figures do not compare with its tables. A rotated 6 may be a 9:
        whether a change keeps the true class is for the owner of the data to judge.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CorruptionsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: CorruptionsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Corrupt the first test inputs in every way and yield one finding."""
        most, severities = EFFORT[params.plan]
        data = chosen(inputs.role("test"), most)
        suite = suite_for(subject, data)
        observe.started("corruptions", len(suite))
        found = _measure(subject, data, suite, severities, budget, seed, observe)
        observe.finished("corruptions", f"{found.mean().mean():.1%} right")
        yield finding(subject.ref.name, params, found, data)


def suite_for(subject: Subject, data: Dataset) -> Mapping[str, Corruption]:
    """Return the corruptions that fit the inputs.

    Raises:
        Skipped: the inputs are neither images nor rows of a table.
    """
    from redan.kernels.corruptions.suite import images, rows

    if is_image(data.x.shape[1:]):
        return images(*box(subject, data))
    if data.x.ndim == 2 and data.x.shape[1]:
        return rows(data.x)
    raise Skipped(
        f"an input of {data.name!r} has shape {tuple(data.x.shape[1:])}; expected an image (1 or 3, h, w), (h, w) "
        "or a row of a table"
    )


def _measure(
    subject: Labelled,
    data: Dataset,
    suite: Mapping[str, Corruption],
    severities: tuple[int, ...],
    budget: Budget,
    seed: int,
    observe: Observer,
) -> Corrupted:
    y = np.asarray(data.y)
    keys = sample_keys(seed, Corruptions.spec.id, data.indices)

    def asked(x: NDArray[Any]) -> NDArray[np.bool_]:
        budget.charge(queries=len(x))
        return np.asarray(np.asarray(subject.labels(x)) == y)

    if why := spent(budget, len(data)):
        raise BudgetSpent(why)
    clean = asked(data.x)
    right: dict[str, NDArray[np.bool_]] = {}
    for done, (name, corrupt) in enumerate(suite.items()):
        if why := spent(budget, len(data) * len(severities)):
            break
        right[name] = np.stack([asked(fitting(corrupt(data.x, level, keys), data)) for level in severities])
        observe.advanced("corruptions", done + 1, len(suite), name)
    if not right:
        raise BudgetSpent(str(why))
    return Corrupted(clean=clean, right=right, severities=severities, partial=why or "")


def fitting(x: NDArray[Any], data: Dataset) -> NDArray[Any]:
    """Return changed inputs in the data's own floating-point type and within its stated bounds."""
    kept = x.astype(data.x.dtype) if data.x.dtype.kind == "f" else x
    return kept if data.bounds is None else np.clip(kept, *data.bounds)


def finding(name: str, params: CorruptionsParams, found: Corrupted, data: Dataset) -> Finding:
    """Put accuracies, drop and table together."""
    partial = bool(found.partial)
    each = {kind: right.mean(axis=0) for kind, right in found.right.items()}
    worst = min(each, key=lambda kind: (float(each[kind].mean()), kind))
    # the lowest of k means is judged at the level that holds for all k of them at once
    lowest = share(each[worst], 1 - 0.05 / len(each))
    mean = estimated("corrupted_accuracy", share(found.mean()), better="higher", partial=partial)
    drop = paired(found.clean, found.mean())
    numbers = (
        mean,
        rate("clean_accuracy", found.clean, better="higher"),
        estimated("accuracy_drop", drop, better="lower", partial=partial),
        estimated("worst_corruption_accuracy", lowest, better="higher", partial=partial),
        _asked(found),
    )
    return Finding(
        rule=Corruptions.spec.id,
        threat=Corruptions.spec.threat,
        subject=name,
        title=f"{percent(mean.value)} of answers are right under {len(each)} corruptions, {worst} hurts most",
        severity=THREAT.severity(mean),
        detail=_told(mean, drop, worst, lowest, found),
        params=params.as_dict(),
        quantities=numbers,
        series=(_by_kind(each), _by_severity(found)),
        tables=(_table(found),),
        locations=(Location(uri=data.name),),
        remedies=REMEDIES,
        references=Corruptions.spec.references,
    )


def _told(mean: Quantity, drop: Estimate, worst: str, lowest: Estimate, found: Corrupted) -> str:
    verdict = "beyond noise" if drop.low > 0 or drop.high < 0 else "within noise"
    text = (
        f"Over {len(found.right)} corruptions at severities {', '.join(map(str, found.severities))} the model is right "
        f"in {percent(mean.value)} (95 % interval {percent(mean.low)} to {percent(mean.high)}, n = {mean.n} inputs), "
        f"{percent(drop.value)} below the clean inputs ({percent(drop.low)} to {percent(drop.high)}, paired by input: "
        f"{verdict}). The worst is {worst} with {percent(lowest.value)} ({percent(lowest.low)} to "
        f"{percent(lowest.high)})."
    )
    return f"{text} It was cut short: {found.partial}." if found.partial else text


def _asked(found: Corrupted) -> Quantity:
    count = float(len(found.clean) + sum(right.size for right in found.right.values()))
    return Quantity(name="queries", value=count, unit="count", n=len(found.clean), low=count, high=count)


def _by_kind(each: Mapping[str, NDArray[Any]]) -> Series:
    bands = [share(values) for values in each.values()]
    return _series("accuracy_by_corruption", tuple(each), bands, "corruption")


def _by_severity(found: Corrupted) -> Series:
    stacked = np.stack(list(found.right.values())).mean(axis=0)
    bands = [share(row) for row in stacked]
    return _series("accuracy_by_severity", tuple(map(float, found.severities)), bands, "severity")


def _series(name: str, x: tuple[Any, ...], bands: list[Estimate], x_unit: str) -> Series:
    return Series(
        name=name,
        x=x,
        y=tuple(b.value for b in bands),
        low=tuple(b.low for b in bands),
        high=tuple(b.high for b in bands),
        n=tuple(b.n for b in bands),
        x_unit=x_unit,
        y_unit="fraction",
    )


def _table(found: Corrupted) -> Table:
    """Return accuracy by corruption and severity."""
    heads = tuple(f"severity {level}" for level in found.severities)
    rows: list[tuple[Scalar, ...]] = [(kind, *right.mean(axis=1).tolist()) for kind, right in found.right.items()]
    return Table(name="corruptions", columns=("corruption", *heads), rows=tuple(rows), draw="heat")
