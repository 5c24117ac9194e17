"""Calibration by group: does the same score mean the same for everybody?"""

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
from redan.kernels.fairness.scores import Calibration, calibration
from redan.threats.bias.asking import favourable_class, scored
from redan.threats.bias.comparing import SURE
from redan.threats.bias.counting import undecided
from redan.threats.bias.people import groups_of
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.bias.asking import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationParams(core_params.Params):
    """Parameters of calibration.

    Attributes:
        favourable: class whose score is judged; −1: the last.
        bins: of the score, all of one width.
        least: rows that a group must have, else it is not tested.
        resamples: of the bootstrap.
    """

    favourable: int = -1
    bins: int = 10
    least: int = 30
    resamples: int = 1000


@probe(
    Spec(
        id="RDN-BIA-003",
        name="calibration-by-group",
        threat="bias",
        title="Calibration within groups",
        source="Kleinberg, Mullainathan & Raghavan 2017, ITCS, section 1 (A); Naeini et al. 2015, AAAI, equation 3",
        needs=("scores",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1609.05807",),
    )
)
class CalibrationByGroup:
    """Compares scores with outcomes, group by group.

    What it measures:
        For each group the mean outcome minus the mean score, the same in each bin of the score, and the expected
        calibration error. Between groups: how far apart the first of these lie.

    Why it matters:
        If a score of 0.6 means six in ten for one group and four in ten for another, whoever acts on scores treats the
        second worse without knowing.

    How:
        Rows are counted by group, bin and outcome. A chi-square test says whether chance explains that the groups
        differ.

    Shapes:
        test: (n, …) inputs with (n,) classes and (n,) groups by column; scores are probabilities, or become some by
        softmax.

    Units:
        Differences of probabilities.

    Error of the estimate:
        Bootstrap interval from counts with the mean score of each bin held fixed; low end zero unless the test excludes
        chance.

    Cost:
        One answer a row.

    Sources:
        Kleinberg, Mullainathan & Raghavan 2017, "Inherent trade-offs in the fair determination of risk scores"; Naeini,
        Cooper & Hauskrecht 2015.

    Limits:
        Where base rates differ, calibration in all groups and equalised odds exclude each other, except for perfect
        models. Errors of opposite sign within one group cancel in the first number; the table shows the bins.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CalibrationParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: CalibrationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask for the score of every row and yield one finding a sensitive column."""
        if min(params.bins, params.least) < 1 or params.resamples < 100 or params.bins > 1000:
            raise UsageError("expected 1 to 1000 bins, at least 1 row and at least 100 resamples")
        data = inputs.role("test")
        groups_of(data, inputs)
        answered = scored(subject, data, budget, observe, self.spec.name)
        if not len(answered.data):
            return
        favourable = favourable_class(params.favourable, answered.answers.shape[1])
        score, outcome = answered.answers[:, favourable], np.asarray(answered.data.y == favourable, np.int64)
        for column, groups in groups_of(answered.data, inputs).items():
            found = calibration(groups.codes, len(groups.levels), np.clip(score, 0, 1), outcome, params.bins)
            chosen = found.counts.sum(axis=(1, 2)) >= params.least
            if chosen.sum() < 2:
                why = f"fewer than two groups have {params.least} rows"
                yield undecided(self.spec, subject.ref.name, (column,), params, why)
                continue
            gap = _gap(found, chosen, params, derive(seed, self.spec.id, column), partial=answered.partial)
            yield _finding(self.spec, subject.ref.name, column, groups.levels, found, chosen, gap, params)


def _gap(
    found: Calibration,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    params: CalibrationParams,
    seed: int,
    *,
    partial: bool,
) -> tuple[Quantity, bool]:
    """Return how far apart the groups lie, and whether chance is excluded."""
    errors = found.errors(found.counts)[chosen]
    drawn = replicates(
        found.counts,
        lambda counts: {"gap": np.ptp(found.errors(counts)[..., chosen], axis=-1)},
        n_resamples=params.resamples,
        seed=seed,
    )["gap"]
    value, sure = float(np.ptp(errors)), found.p_same(chosen) < SURE
    low, high = around(value, drawn)
    measured = Quantity(
        name="calibration_difference",
        value=value,
        unit="fraction",
        n=int(found.counts[chosen].sum()),
        low=low if sure else 0.0,
        high=high,
        better="lower",
        partial=partial,
    )
    return measured, sure


def _table(found: Calibration, levels: tuple[str, ...], known: list[int], bins: int) -> Table:
    rows, errors, expected = found.counts.sum(axis=2), found.errors(found.counts), found.expected_error()
    heads = tuple(f"{(b + 0.5) / bins:g}" for b in range(bins))
    cells = [
        (
            levels[i],
            int(rows[i].sum()),
            round(float(errors[i]), 4),
            round(float(expected[i]), 4),
            *(
                round(float((found.counts[i, b, 1] - found.sums[i, b]) / rows[i, b]), 3) if rows[i, b] else None
                for b in range(bins)
            ),
        )
        for i in known
    ]
    return Table(
        name="outcome_minus_score",
        columns=("group", "rows", "all", "expected calibration error", *heads),
        rows=tuple(cells),
        draw="heat",
    )


def _finding(
    spec: Spec,
    name: str,
    column: str,
    levels: tuple[str, ...],
    found: Calibration,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    gap: tuple[Quantity, bool],
    params: CalibrationParams,
) -> Finding:
    measured, sure = gap
    rows, errors = found.counts.sum(axis=2), found.errors(found.counts)
    known = [i for i in range(len(levels)) if chosen[i]]
    small = [levels[i] for i in range(len(levels)) if not chosen[i]]
    table = _table(found, levels, known, params.bins)
    spread = 1.96 * np.sqrt(found.squares / np.maximum(rows.sum(axis=1), 1) ** 2)
    curve = Series(
        name="outcome_minus_score_by_group",
        x=tuple(levels[i] for i in known),
        y=tuple(float(errors[i]) for i in known),
        low=tuple(float(errors[i] - spread[i]) for i in known),
        high=tuple(float(errors[i] + spread[i]) for i in known),
        n=tuple(int(rows[i].sum()) for i in known),
        x_unit="group",
        y_unit="fraction",
    )
    untested = f" Not tested, since fewer than {params.least} rows: {', '.join(small[:5])}." if small else ""
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{column}: scores mean {measured.value:.3f} more for one group" + ("" if sure else ", within chance"),
        severity=THREAT.severity(measured) if sure else Severity.INFO,
        confidence="confirmed" if sure else "possible",
        detail=(
            f"Outcomes lie further above scores for one group of {column} than for another, by {measured.value:.3f} "
            f"(95 % interval {measured.low:.3f} to {measured.high:.3f}; {measured.n} rows).{untested}"
        ),
        params=params.as_dict(),
        quantities=(measured,),
        series=(curve,),
        tables=(table,),
        locations=(Location(uri="test data", address=column),),
        remedies=("calibrate the scores within each group on rows held out", "RDN-BIA-104 threshold-optimiser"),
        references=spec.references,
    )
