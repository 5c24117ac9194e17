"""Scores as numbers: how far their distributions lie apart between groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Series, Severity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.fairness.bootstrap import around, replicates
from redan.kernels.fairness.scores import distances, kolmogorov_p
from redan.kernels.fairness.significance import holm
from redan.threats.bias.asking import favourable_class, scored
from redan.threats.bias.comparing import SURE
from redan.threats.bias.counting import undecided
from redan.threats.bias.people import groups_of
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.kernels.fairness.encoding import Encoded
    from redan.threats.bias.asking import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGapsParams(core_params.Params):
    """Parameters of score gaps.

    Attributes:
        favourable: class whose score is judged; −1: the last.
        least: rows that a group must have, else it is not tested.
        resamples: of the bootstrap.
    """

    favourable: int = -1
    least: int = 30
    resamples: int = 1000


_BINS = 200


@probe(
    Spec(
        id="RDN-BIA-006",
        name="score-gaps",
        threat="bias",
        title="Distributions of scores by group",
        source="Smirnov 1948, Annals of Mathematical Statistics; Agarwal, Dudik & Wu 2019, ICML, section 2",
        needs=("scores",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1905.12843",),
    )
)
class ScoreGaps:
    """Compares the score of the favourable class between groups, as one would the answer of a regression.

    What it measures:
        For each group the mean score, its difference to all others, the Kolmogorov distance of its distribution to
        theirs, and the mean squared error. Between groups: the largest such distance.

    Why it matters:
        Prices, limits and ranks follow scores directly; no threshold hides or makes the gap.

    How:
        One pass; distances are taken on 200 bins. Smirnov's test for each group against the others, corrected by Holm.

    Shapes:
        test: (n, …) inputs with (n,) classes and (n,) groups by column.

    Units:
        Distance between 0 (same distribution) and 1; scores are probabilities.

    Error of the estimate:
        Bootstrap interval from counts, low end zero unless the test excludes chance; means with normal intervals.

    Cost:
        One answer a row.

    Sources:
        Smirnov 1948; Agarwal, Dudik & Wu 2019, "Fair regression".

    Limits:
        Groups that differ in what matters differ in scores too: read it beside ``calibration-by-group``. Models that
        answer a number and no class cannot be opened yet.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = ScoreGapsParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: ScoreGapsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask for the score of every row and yield one finding a sensitive column."""
        if params.least < 1 or params.resamples < 100:
            raise UsageError("expected at least 1 row and at least 100 resamples")
        data = inputs.role("test")
        groups_of(data, inputs)
        answered = scored(subject, data, budget, observe, self.spec.name)
        if not len(answered.data):
            return
        favourable = favourable_class(params.favourable, answered.answers.shape[1])
        score, outcome = answered.answers[:, favourable], np.asarray(answered.data.y == favourable, np.float64)
        for column, groups in groups_of(answered.data, inputs).items():
            rows = np.bincount(groups.codes, minlength=len(groups.levels))
            if (rows >= params.least).sum() < 2:
                why = f"fewer than two groups have {params.least} rows"
                yield undecided(self.spec, subject.ref.name, (column,), params, why)
                continue
            measured, p = _distance(score, groups, rows, params, derive(seed, self.spec.id, column), answered.partial)
            yield self._finding(subject.ref.name, column, groups, score, outcome, measured, p, params)

    def _finding(
        self,
        name: str,
        column: str,
        groups: Encoded,
        score: NDArray[Any],
        outcome: NDArray[Any],
        measured: Quantity,
        p: float,
        params: ScoreGapsParams,
    ) -> Finding:
        sure = p < SURE
        table, curve = _told(groups, score, outcome, params.least)
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{column}: scores lie {measured.value:.3f} apart" + ("" if sure else ", within chance"),
            severity=THREAT.severity(measured) if sure else Severity.INFO,
            confidence="confirmed" if sure else "possible",
            detail=(
                f"The scores of one group of {column} and those of all others have a Kolmogorov distance of "
                f"{measured.value:.3f} (95 % interval {measured.low:.3f} to {measured.high:.3f}; p = {p:.2g})."
            ),
            params=params.as_dict(),
            quantities=(measured,),
            series=(curve,),
            tables=(table,),
            locations=(Location(uri="test data", address=column),),
            remedies=("RDN-BIA-102 correlation-removal", "RDN-BIA-105 adversarial-debiasing"),
            references=self.spec.references,
        )


def _distance(
    score: NDArray[Any],
    groups: Encoded,
    rows: NDArray[Any],
    params: ScoreGapsParams,
    seed: int,
    partial: bool,
) -> tuple[Quantity, float]:
    """Return the largest distance of a group to the others, and the p-value that there is none."""
    k = len(groups.levels)
    bins = np.searchsorted(np.unique(np.quantile(score, np.linspace(0, 1, _BINS))), score)
    counts = np.bincount(groups.codes.astype(np.int64) * (_BINS + 1) + bins, minlength=k * (_BINS + 1))
    counts = counts.reshape(k, _BINS + 1)[rows >= params.least]
    apart = distances(counts)
    n = counts.sum(axis=1)
    p = min(holm([kolmogorov_p(float(d), int(m), int(n.sum() - m)) for d, m in zip(apart, n, strict=True)]))
    drawn = replicates(
        counts, lambda some: {"d": distances(some).max(axis=-1)}, n_resamples=params.resamples, seed=seed
    )["d"]
    low, high = around(float(apart.max()), drawn)
    measured = Quantity(
        name="score_distance",
        value=float(apart.max()),
        unit="fraction",
        n=int(n.sum()),
        low=low if p < SURE else 0.0,
        high=high,
        better="lower",
        partial=partial,
    )
    return measured, p


def _told(groups: Encoded, score: NDArray[Any], outcome: NDArray[Any], least: int) -> tuple[Table, Series]:
    rows: list[tuple[Scalar, ...]] = []
    points = []
    for i, level in enumerate(groups.levels):
        own = groups.codes == i
        n = int(own.sum())
        if n < least:
            rows.append((level, n, None, None, None))
            continue
        mean, rest = float(score[own].mean()), float(score[~own].mean()) if n < len(own) else 0.0
        error = 1.96 * float(score[own].std()) / n**0.5
        rows.append(
            (level, n, round(mean, 4), round(mean - rest, 4), round(float(((outcome - score)[own] ** 2).mean()), 4))
        )
        points.append((level, mean, max(0.0, mean - error), min(1.0, mean + error), n))
    names, means, lows, highs, sizes = (tuple(part) for part in zip(*points, strict=True))
    heads = ("group", "rows", "mean score", "above the others", "mean squared error")
    return (
        Table(name="scores_by_group", columns=heads, rows=tuple(rows), draw="heat"),
        Series(
            name="mean_score_by_group",
            x=names,
            y=means,
            low=lows,
            high=highs,
            n=sizes,
            x_unit="group",
            y_unit="fraction",
        ),
    )
