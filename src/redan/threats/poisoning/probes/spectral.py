"""Spectral signatures: outlying rows of each class along its first direction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.kernels.backdoors.spectral import LEAST_ROWS, removed, spectrum
from redan.threats.poisoning.counted import MOST_SHOWN, array, rate
from redan.threats.poisoning.layers import layer_columns, readable
from redan.threats.poisoning.reading import class_name
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.kernels.backdoors.spectral import Spectrum
    from redan.threats.poisoning.layers import Layered


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSignaturesParams(core_params.Params):
    """Parameters of spectral signatures.

    Attributes:
        rate: upper bound of the share of all rows that may be planted.
    """

    rate: float = 0.01


@probe(
    Spec(
        id="RDN-POI-002",
        name="spectral-signatures",
        threat="poisoning",
        title="Rows to look at, by the spectrum of each class",
        source="Tran, Li & Madry 2018, NeurIPS, algorithm 1",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1811.00636", "atlas:AML.T0018", "atlas:AML.T0020", "owasp:ML10"),
        default=False,
    )
)
class SpectralSignatures:
    """Ranks training rows by how far they lie along the widest direction of their class.

    What it measures:
        For each class, how much wider its first direction is than its second, and which rows the method would remove:
        1.5 times as many of each class as may be planted in all.

    Why it matters:
        If there are planted rows, they are among these with good chance; a person can look at a few hundred rows.

    How:
        What enters the last layer is centred within each class, as the paper says; the squared projection on the first
        principal direction is the score.

    Shapes:
        train: (n, …) with (n,) classes; 20 rows or more in two classes at least.

    Units:
        A ratio of variances; shares of rows.

    Error of the estimate:
        The share of rows follows from the rate that was asked for and measures nothing; the ratio has no interval.

    Cost:
        One forward pass over at most 60 000 rows.

    Sources:
        Tran, Li & Madry 2018, "Spectral signatures in backdoor attacks", algorithm 1 and section 3.

    Limits:
        It removes rows of clean data too, and says not whether there is a backdoor: on the models of our benchmark
        the ratio of the poisoned class is like that of the others. RDN-POI-001 decides; this one orders rows.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SpectralSignaturesParams

    def run(
        self,
        subject: Layered,
        inputs: Inputs,
        params: SpectralSignaturesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Score the rows and yield one finding.

        Raises:
            Skipped: too few rows.
            UsageError: the rate is no share below a half.
        """
        del seed
        if not 0 < params.rate < 0.5:
            raise UsageError(f"rate is {params.rate:g}; expected a share above 0 and below 0.5")
        rows = readable(subject, inputs.role("train"), least=LEAST_ROWS)
        observe.started(self.spec.name, len(rows))
        (features,) = layer_columns(subject, rows, budget, last=True)
        observe.finished(self.spec.name)
        if len(features) < len(rows):
            return
        y = np.asarray(rows.y)
        found = spectrum(features, y)
        yield _finding(self.spec, subject, params, rows, found, removed(found, y, params.rate))


def _finding(
    spec: Spec,
    subject: Layered,
    params: SpectralSignaturesParams,
    rows: Dataset,
    found: Spectrum,
    marked: NDArray[np.bool_],
) -> Finding:
    n, count = len(rows), int(marked.sum())
    strongest = float(found.strength.max())
    measured = Quantity(
        name="spectral_ratio",
        value=strongest,
        unit="ratio",
        n=n,
        low=strongest,
        high=strongest,
    )
    order = np.argsort(-found.score, kind="stable")
    worst = order[marked[order]]
    by_class = tuple(
        (class_name(subject, rows, label), int((rows.y == label).sum()), round(float(ratio), 3))
        for label, ratio in zip(found.classes.tolist(), found.strength, strict=True)
    )
    shown = tuple(
        (int(rows.indices[row]), class_name(subject, rows, int(rows.y[row])), round(float(found.score[row]), 3))
        for row in worst[:MOST_SHOWN].tolist()
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{count} of {n} rows to look at, by their spectral score",
        severity=THREAT.severity(measured),
        confidence="possible",
        detail=(
            f"If at most {params.rate:.2%} of all rows are planted in one class, most of them should be among the "
            f"{count} marked. Rows are marked in clean data too: the method ranks and does not decide."
        ),
        params=params.as_dict(),
        quantities=(measured, rate("marked_row_rate", count, n)),
        tables=(
            Table(name="spectrum_by_class", columns=("class", "rows", "first over second variance"), rows=by_class),
            Table(name="marked_rows", columns=("row", "label", "score"), rows=shown),
        ),
        locations=(Location(uri=rows.name),),
        evidence=(
            array("suspects", rows.indices[worst], "rows of the source, the highest score first"),
            array("score", found.score, "spectral score of each row by rising index"),
            array("indices", rows.indices, "rows of the source that the scores belong to"),
        ),
        remedies=("RDN-POI-101", "look at the rows that are marked, and run RDN-POI-001 for a verdict"),
        references=spec.references,
    )
