"""From a probe's inputs to counts by group: what the probes of classes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.core import params as core_params
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Severity
from redan.core.seeds import derive
from redan.kernels.fairness.counts import tally
from redan.threats.bias.asking import favourable_class, labelled
from redan.threats.bias.comparing import compare
from redan.threats.bias.people import groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.kernels.fairness.counts import Tally
    from redan.threats.bias.asking import Labelled
    from redan.threats.bias.comparing import Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class CountParams(core_params.Params):
    """Parameters of comparisons by counts.

    Attributes:
        favourable: class that people want; −1: class 1 of two, of more classes each in turn and the worst is told.
        least: rows that a rate must be of, else it is not tested.
        resamples: of the bootstrap.
    """

    favourable: int = -1
    least: int = 30
    resamples: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """Counts of all groups at hand.

    Attributes:
        tally: rows by intersection, true and answered class.
        favourable: classes that count as positive in turn.
        partial: a budget left rows out.
    """

    tally: Tally
    favourable: tuple[int, ...]
    partial: bool


def counted(
    subject: Labelled, inputs: Inputs, params: CountParams, *, budget: Budget, observe: Observer, name: str
) -> Counted | None:
    """Ask the model about the test rows and count them by group; None when the budget allowed no row.

    Raises:
        UsageError: no sensitive column was named, or a parameter is no number of rows.
        ShapeMismatch: model and data do not fit together.
    """
    if params.least < 1 or params.resamples < 100:
        raise UsageError(
            f"least={params.least}, resamples={params.resamples}; expected at least 1 row and at least 100 resamples"
        )
    data = inputs.role("test")
    groups_of(data, inputs)  # before anything is asked
    answered = labelled(subject, data, budget, observe, name)
    if not len(answered.data):
        return None
    k = answered.n_classes
    chosen = favourable_class(params.favourable, k)
    groups = groups_of(answered.data, inputs)
    try:
        counts = tally(groups, np.asarray(answered.data.y, np.int64), answered.answers, k)
    except ValueError as err:
        raise UsageError(str(err), hint="name fewer sensitive columns") from err
    several = params.favourable == -1 and k > 2
    return Counted(tally=counts, favourable=tuple(range(k)) if several else (chosen,), partial=answered.partial)


def compared(found: Counted, columns: Sequence[str], tested: Sequence[str], params: CountParams, seed: int) -> Compared:
    """Compare the groups of some columns, with draws of their own."""
    return compare(
        found.tally.over(columns),
        found.favourable,
        tested,
        least=params.least,
        n_resamples=params.resamples,
        seed=derive(seed, *columns),
    )


def undecided(spec: Spec, name: str, columns: Sequence[str], params: core_params.Params, why: str) -> Finding:
    """Say that groups could not be compared: never clean, and no alarm."""
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{' and '.join(columns)}: not tested, {why}",
        severity=Severity.INFO,
        status="inconclusive",
        confidence="possible",
        detail="Nothing can be said about these groups. Give more rows, or lower `least` and read wide intervals.",
        params=params.as_dict(),
        locations=(Location(uri="test data", address=" and ".join(columns)),),
        references=spec.references,
    )
