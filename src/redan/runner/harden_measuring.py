"""What one subject is worth: accuracy with and without an attack, row by row, and what an answer costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core import catalogue
from redan.core.errors import BudgetSpent, Skipped, SubjectFailed
from redan.core.finding import Finding, Quantity, Severity
from redan.kernels.statistics import median_interval, wilson
from redan.runner.harden_pareto import signed
from redan.runner.plan import Choice, plan
from redan.runner.run import Session, run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset, Inputs
    from redan.core.report import Report
    from redan.core.subject import Subject

REPEATS = 11
"""Calls that the median of the latency rests on."""
MOST_ROWS = 256
"""Rows in each of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What a probe says of a subject.

    Attributes:
        report: everything.
        clean: accuracy on the test rows as they are.
        worth: the first quantity of the finding; of several findings that of the worst.
        finding: where it comes from.
        kept: (n,) bool, rows that withstood; None where the probe says nothing row by row.
        partial: why the measurement was cut short, else empty.
        doubt: what another probe says against the number, else empty.
    """

    report: Report
    clean: Quantity
    worth: Quantity
    finding: Finding
    kept: NDArray[np.bool_] | None
    partial: str
    doubt: str


def measured(
    probe: str,
    subject: Subject,
    inputs: Inputs,
    params: Mapping[str, Any],
    session: Session,
    *,
    doubting: tuple[str, ...] = (),
) -> Measured:
    """Run one probe on the test rows, and those that may doubt it.

    Args:
        probe: its name.
        subject: what is asked.
        inputs: the data.
        params: parameters of which the probe takes those it knows.
        session: budget, seed and stores.
        doubting: further probes; an open finding of theirs that is high or worse is a doubt.

    Raises:
        BudgetSpent: before the probe had anything to say.
        Skipped: the probe is no case for this subject.
        SubjectFailed: the probe failed.
    """
    entry = catalogue.entry("probe", probe)
    known = {name for one in (probe, *doubting) for name in catalogue.entry("probe", one).params}
    choice = Choice(probes=(probe, *doubting), params={name: value for name, value in params.items() if name in known})
    asked = {"probes": choice.probes, "params": dict(choice.params)}
    report = run(plan([subject], inputs, choice), inputs, subject.ref, session, asked=asked)
    ran = report.probes[0]
    mine = [f for f in report.findings if f.rule == entry.id and f.quantities]
    found = min(mine, key=lambda f: signed(f.quantities[0]), default=None)
    if found is None and ran.outcome == "partial":
        raise BudgetSpent(f"{subject.ref.name!r} could not be measured: {ran.why}", hint="give a larger --budget")
    if found is None and ran.outcome == "skipped":
        raise Skipped(f"{probe} cannot measure {subject.ref.name!r}: {ran.why}")
    if found is None:
        raise SubjectFailed(f"{probe} could not measure {subject.ref.name!r}: {ran.why or ran.outcome}")
    return Measured(
        report=report,
        clean=found.quantity("clean_accuracy") or _accuracy(subject, inputs.role("test")),
        worth=found.quantities[0],
        finding=found,
        kept=_kept(report, found),
        partial="" if ran.outcome == "ran" else ran.why or ran.outcome,
        doubt=_doubt(report, besides=entry.id),
    )


def _accuracy(subject: Any, data: Dataset) -> Quantity:
    n = len(data)
    right = sum(
        int((subject.labels(data.x[i : i + MOST_ROWS]) == data.y[i : i + MOST_ROWS]).sum())
        for i in range(0, n, MOST_ROWS)
    )
    low, high = wilson(right, n)
    value = right / n if n else 0.0
    return Quantity(name="clean_accuracy", value=value, unit="fraction", n=n, low=low, high=high, better="higher")


def _kept(report: Report, found: Finding) -> NDArray[np.bool_] | None:
    import numpy as np

    if found.blob("success") is None or found.quantities[0].name != "robust_accuracy":
        return None
    return ~np.asarray(report.evidence("success", rule=found.rule), bool)


def doubt(
    doubting: tuple[str, ...], subject: Subject, inputs: Inputs, params: Mapping[str, Any], session: Session
) -> str:
    """Run probes that may doubt a number, of which those that do not fit the subject are skipped.

    Args:
        doubting: their names.
        subject: what is asked.
        inputs: the data.
        params: parameters of which the probes take those they know.
        session: budget, seed and stores.

    Returns:
        What the first of them says that is high or worse, else an empty string.
    """
    known = {name for one in doubting for name in catalogue.entry("probe", one).params}
    choice = Choice(probes=doubting, params={name: value for name, value in params.items() if name in known})
    asked = {"probes": choice.probes, "params": dict(choice.params)}
    return _doubt(run(plan([subject], inputs, choice), inputs, subject.ref, session, asked=asked)) if doubting else ""


def _doubt(report: Report, *, besides: str = "") -> str:
    return next((f.title for f in report.findings if f.rule != besides and f.gates(Severity.HIGH)), "")


def latencies(subjects: Sequence[Any], x: NDArray[Any]) -> tuple[Quantity, ...]:
    """Return each subject's median CPU seconds a row of an answer to many rows at once, with the median's interval.

    The subjects answer in turns: what a process did before, such as memory it took and gave back, changes what a call
    costs by as much as half, and so meets all of them alike.

    Raises:
        SubjectFailed: a subject does not answer.
    """
    asked = x[:MOST_ROWS]
    for subject in subjects:
        subject.labels(asked)  # what is built at the first call is no cost of the others
    rounds = [[_cpu_s(subject, asked) / len(asked) for subject in subjects] for _ in range(REPEATS)]
    return tuple(_median(list(spent)) for spent in zip(*rounds, strict=True))


def _median(spent: list[float]) -> Quantity:
    low, high = median_interval(spent)
    middle = sorted(spent)[len(spent) // 2]
    return Quantity(name="latency", value=middle, unit="s", n=len(spent), low=low, high=high, better="lower")


def _cpu_s(subject: Any, x: NDArray[Any]) -> float:
    begun = time.process_time()
    subject.labels(x)
    return time.process_time() - begun
