"""Ranking: who stands where when people are put in the order of their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.fairness.bootstrap import around
from redan.kernels.fairness.scores import exposures, ndkl
from redan.kernels.membership import auc
from redan.threats.bias.asking import favourable_class, scored
from redan.threats.bias.comparing import SURE
from redan.threats.bias.counting import undecided
from redan.threats.bias.people import groups_of
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.kernels.fairness.encoding import Encoded
    from redan.threats.bias.asking import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingParams(core_params.Params):
    """Parameters of ranking.

    Attributes:
        favourable: class whose score ranks people; −1: the last.
        least: rows that a group must have, else it is not tested.
        resamples: of the bootstrap, and as many random orders.
    """

    favourable: int = -1
    least: int = 30
    resamples: int = 300


@probe(
    Spec(
        id="RDN-BIA-007",
        name="ranking",
        threat="bias",
        title="Exposure of groups when people are ranked by score",
        source="Singh & Joachims 2018, KDD, section 4; Geyik et al. 2019, KDD, definition 2",
        needs=("scores",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1802.07281", "arxiv:1905.01989"),
        default=False,
    )
)
class Ranking:
    """Ranks all rows by the score of the favourable class and compares the places of the groups.

    What it measures:
        Mean exposure of each group (1 / log2(1 + rank)) and the lowest over the highest; NDKL, how far the groups among
        the first k lie from those of all; and for each group how often somebody of it who deserves the favourable class
        is ranked above somebody of the others who does not.

    Why it matters:
        Who is on the first page is seen. Small gaps in scores become large gaps in places.

    How:
        One pass, one sort. Random orders tell what chance does to the ratio of exposures.

    Shapes:
        test: (n, …) inputs with (n,) classes and (n,) groups by column.

    Units:
        Ratio between 0 and 1; NDKL in nats; pairwise share between 0 and 1, 0.5 is guessing.

    Error of the estimate:
        Bootstrap of rows, ranked anew; high end one unless random orders exclude chance. DeLong intervals for pairs.

    Cost:
        One answer a row, one sort, and a few hundred passes over the groups.

    Sources:
        Singh & Joachims 2018, "Fairness of exposure in rankings"; Geyik, Ambler & Kenthapadi 2019; Beutel et al. 2019,
        KDD, section 3 (pairwise).

    Limits:
        All rows are one list; where people are ranked within queries, measure each query's rows.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RankingParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: RankingParams,
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
        score = answered.answers[:, favourable]
        outcome = np.asarray(answered.data.y == favourable)
        for column, groups in groups_of(answered.data, inputs).items():
            rows = np.bincount(groups.codes, minlength=len(groups.levels))
            chosen = np.flatnonzero(rows >= params.least)
            if len(chosen) < 2:
                why = f"fewer than two groups have {params.least} rows"
                yield undecided(self.spec, subject.ref.name, (column,), params, why)
                continue
            order = np.lexsort((answered.data.indices, -score))
            ranked = groups.codes[order]
            generator = np.random.default_rng(derive(seed, self.spec.id, column))
            measured, p = _exposure(ranked, chosen, params.resamples, generator, partial=answered.partial)
            far = ndkl(ranked, len(groups.levels))
            table = _table(groups, rows, chosen, ranked, score, outcome)
            yield self._finding(subject.ref.name, column, measured, p, far, table, params)

    def _finding(
        self, name: str, column: str, measured: Quantity, p: float, far: float, table: Table, params: RankingParams
    ) -> Finding:
        sure = p < SURE
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{column}: the least exposed group has {measured.value:.2f} of the exposure of the most exposed"
            + ("" if sure else ", within chance"),
            severity=THREAT.severity(measured) if sure else Severity.INFO,
            confidence="confirmed" if sure else "possible",
            detail=(
                f"Ranked by score, groups of {column} have mean exposures whose ratio is {measured.value:.3f} (95 % "
                f"interval {measured.low:.3f} to {measured.high:.3f}; random orders reach it with p = {p:.2g}). NDKL "
                f"{far:.4f}."
            ),
            params=params.as_dict(),
            quantities=(measured,),
            tables=(table,),
            locations=(Location(uri="test data", address=column),),
            remedies=("rank within groups, or rerank so that each first k holds every group's share",),
            references=self.spec.references,
        )


def _exposure(
    ranked: NDArray[Any], chosen: NDArray[Any], n_resamples: int, generator: np.random.Generator, *, partial: bool
) -> tuple[Quantity, float]:
    """Return the ratio of exposures, and the share of random orders with one as low."""
    k, n = int(ranked.max()) + 1, len(ranked)

    def ratio(codes: NDArray[Any]) -> float:
        own = exposures(codes, k)[chosen]
        return float(own.min() / own.max()) if own.max() > 0 else 1.0

    value = ratio(ranked)
    drawn = np.array([ratio(ranked[np.sort(generator.integers(0, n, n))]) for _ in range(n_resamples)])
    chance = np.array([ratio(generator.permutation(ranked)) for _ in range(n_resamples)])
    p = float((1 + (chance <= value).sum()) / (1 + n_resamples))
    low, high = around(value, drawn)
    measured = Quantity(
        name="exposure_ratio",
        value=value,
        unit="fraction",
        n=n,
        low=low,
        high=high if p < SURE else 1.0,
        better="higher",
        partial=partial,
    )
    return measured, p


def _table(
    groups: Encoded,
    rows: NDArray[Any],
    chosen: NDArray[Any],
    ranked: NDArray[Any],
    score: NDArray[Any],
    outcome: NDArray[Any],
) -> Table:
    shown = exposures(ranked, len(groups.levels))
    cells = []
    for i in chosen.tolist():
        own = groups.codes == i
        deserving, others = score[own & outcome], score[~own & ~outcome]
        pairs = auc(deserving, others) if min(len(deserving), len(others)) >= 2 else None
        told = (None, None, None) if pairs is None else (pairs.value, pairs.low, pairs.high)
        cells.append(
            (
                groups.levels[i],
                int(rows[i]),
                round(float(shown[i]), 4),
                *(None if one is None else round(float(one), 4) for one in told),
            )
        )
    heads = ("group", "rows", "mean exposure", "deserving above undeserving others", "low", "high")
    return Table(name="places_by_group", columns=heads, rows=tuple(cells), draw="heat")
