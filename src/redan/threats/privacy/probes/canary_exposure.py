"""How far planted canaries stand out: memorisation of single records, in bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, ShapeMismatch
from redan.core.finding import Finding, Location, Quantity, Series, Severity
from redan.core.probe import Spec
from redan.kernels.exposure.ranking import UNPLANTED_BITS, Exposed, exposure
from redan.kernels.membership import Auc, auc, loss_scores
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


LEAST_CANARIES = 2
LEAST_CANDIDATES = 20
BATCH = 500
FITS = 0.1
"""Distance between candidates and distribution up to which an extrapolation is worth telling."""
REMEDIES = (
    "train with differential privacy: it bounds what one record can do",
    "remove repetitions from the training data: what is seen often is remembered first",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryExposureParams(core_params.Params):
    """The probe has no parameters: the canaries say everything."""


class _Exposure:
    """What both probes do."""

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CanaryExposureParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: CanaryExposureParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about canaries and candidates and yield one finding."""
        canaries, candidates = inputs.role("canary"), inputs.role("reference")
        for data, least in ((canaries, LEAST_CANARIES), (candidates, LEAST_CANDIDATES)):
            check_fit(subject, data)
            if len(data) < least:
                raise ShapeMismatch(f"{data.name!r} has {len(data)} rows; exposure needs at least {least}")
        observe.started(self.spec.name, len(canaries) + len(candidates))
        planted = _losses(subject, canaries, budget)
        others = _losses(subject, candidates, budget)
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, canaries, planted, others)


@probe(
    Spec(
        id="RDN-PRI-033",
        name="canary-exposure",
        threat="privacy",
        title="Exposure of planted canaries among candidates that were not planted",
        source="Carlini et al. 2019, USENIX Security, section 4",
        needs=("scores",),
        data=("canary", "reference"),
        cost="seconds",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:1802.08232"),
    )
)
class CanaryExposure(_Exposure):
    """Measures how much the model remembers of records that were planted to be found.

    What it measures:
        The exposure of each canary in bits: how much easier it is to guess for whoever can ask the model. A canary that
        was never planted has 1.44 bits on average; one that beats all m candidates at least log2(m + 1).

    Why it matters:
        Canaries are the only records of which everybody knows that they could be learnt in no other way than by heart.

    How:
        Loss of the canaries with the class they were planted with, ranked among the losses of the reference data.
        Beyond all candidates a skew normal distribution of their losses extrapolates.

    Shapes:
        canary: (k, …) planted records with the classes they were planted with; reference: (m, …) records drawn in the
        same way, with classes drawn in the same way, and not planted.

    Units:
        Bits.

    Error of the estimate:
        Student's 95 % interval over canaries, and DeLong's for the AUC of canaries against candidates.

    Cost:
        One answer for each canary and candidate.

    Sources:
        Carlini, Liu, Erlingsson, Kos & Song 2019, "The secret sharer".

    Limits:
        The reference data must be candidates for canaries, not ordinary data: random inputs, or ordinary ones with
        random classes, as the canaries are. An extrapolation is as good as its distribution, whose misfit is given.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CanaryExposureParams


@probe(
    Spec(
        id="RDN-PRI-037",
        name="text-canary-exposure",
        threat="privacy",
        title="Exposure of planted texts among candidates that were not planted",
        source="Carlini et al. 2019, USENIX Security, section 4",
        needs=("text", "scores"),
        data=("canary", "reference"),
        cost="seconds",
        references=("atlas:AML.T0024.000", "owasp:ML04", "arxiv:1802.08232"),
    )
)
class TextCanaryExposure(_Exposure):
    """Measures how much a text classifier remembers of texts that were planted to be found.

    What it measures:
        The exposure of each planted text in bits: how much easier it is to guess for whoever can ask the model. A text
        that was never planted has 1.44 bits on average; one that beats all m candidates at least log2(m + 1).

    Why it matters:
        Numbers of cards and accounts stand in texts that classifiers are trained on.

    How:
        Loss of the planted texts with their classes, ranked among the losses of the reference texts. Beyond all
        candidates a skew normal distribution of their losses extrapolates.

    Shapes:
        canary: (k,) texts with the classes they were planted with; reference: (m,) texts made in the same way, with
        other secrets, and not planted.

    Units:
        Bits.

    Error of the estimate:
        Student's 95 % interval over canaries, and DeLong's for the AUC of canaries against candidates.

    Cost:
        One answer for each canary and candidate.

    Sources:
        Carlini, Liu, Erlingsson, Kos & Song 2019, "The secret sharer".

    Limits:
        Language models give likelihoods of texts, for which `redan.kernels.exposure.ranking.exposure` takes the losses
        themselves. An extrapolation is as good as its distribution, whose misfit is given.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CanaryExposureParams


def _losses(subject: Scored, data: Dataset, budget: Budget) -> NDArray[np.float64]:
    """Return the loss of each row.

    Raises:
        BudgetSpent: exposure of some rows among some others is none of all.
    """
    parts = []
    for start in range(0, len(data), BATCH):
        if why := budget.stop():
            raise BudgetSpent(why)
        x, y = data.x[start : start + BATCH], np.asarray(data.y[start : start + BATCH])
        budget.charge(queries=len(x))
        parts.append(-loss_scores(subject.scores(x), y, kind=subject.score_kind))
    return np.concatenate(parts)


def _finding(
    spec: Spec,
    subject: Scored,
    params: CanaryExposureParams,
    canaries: Dataset,
    planted: NDArray[np.float64],
    others: NDArray[np.float64],
) -> Finding:
    found, area = exposure(planted, others), auc(-planted, -others)
    bits = Quantity(
        name="canary_exposure",
        value=found.mean,
        unit="bits",
        n=len(planted),
        low=found.low,
        high=found.high,
        better="lower",
    )
    separation = Quantity(
        name="canary_auc",
        value=area.value,
        unit="auc",
        n=len(planted) + len(others),
        low=area.low,
        high=area.high,
        better="lower",
    )
    beyond = found.low > UNPLANTED_BITS and area.low > 0.5
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"planted canaries have {found.mean:.1f} bits of exposure; unplanted ones {UNPLANTED_BITS:.1f}",
        severity=THREAT.severity(bits) if beyond else Severity.INFO,
        detail=_detail(found, area, len(others)),
        params=params.as_dict(),
        quantities=(bits, separation),
        series=(_series(found, canaries),),
        locations=(Location(uri=canaries.name),),
        remedies=REMEDIES,
        references=spec.references,
    )


def _detail(found: Exposed, area: Auc, m: int) -> str:
    said = (
        f"{len(found.bits)} canaries have {found.mean:.2f} bits on average (95 % interval {found.low:.2f} to "
        f"{found.high:.2f}) among {m} candidates; without planting it is {UNPLANTED_BITS:.2f}. AUC against candidates "
        f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})."
    )
    if found.extrapolated:
        trust = "fits" if found.misfit <= FITS else "fits badly, so take ranks instead"
        said += (
            f" {found.extrapolated} lie beyond every candidate, where bits are extrapolated by a distribution that "
            f"{trust} (distance {found.misfit:.2f})."
        )
    return said


def _series(found: Exposed, canaries: Dataset) -> Series:
    order: Any = np.argsort(canaries.indices, kind="stable")
    return Series(
        name="exposure_by_canary",
        x=tuple(f"row {int(index)}" for index in np.asarray(canaries.indices)[order]),
        y=tuple(float(v) for v in found.bits[order]),
        x_unit="canary",
        y_unit="bits",
    )
