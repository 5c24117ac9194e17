"""Before and after, measured once on the test rows: the report of a hardening."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Table
from redan.core.report import Gate, Report
from redan.kernels.statistics import difference, mcnemar
from redan.runner.harden import Hardened, Wanted, search, share_of
from redan.runner.harden_candidates import DOUBTS, yardstick
from redan.runner.harden_measuring import Measured, measured
from redan.runner.harden_pareto import rule_in_words
from redan.threats.evasion.rules.hardening import RULE

if TYPE_CHECKING:
    from redan.runner.harden_pareto import Alternative
    from redan.runner.run import Session
    from redan.runner.target import Target

SEARCH_SHARE = 0.7
"""Part of a budget that candidates may use; the rest is for the measurement on test rows."""
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """The subject before and after, on the same test rows.

    Attributes:
        before: what the probe says of the subject as it was.
        after: what it says of the one that was taken.
        p_value: exact McNemar test that both withstand equally often.
    """

    before: Measured
    after: Measured
    p_value: float

    @property
    def better(self) -> bool:
        """Whether robust accuracy is higher beyond noise; one cut short or in doubt proves no such thing."""
        gain = self.after.robust.value - self.before.robust.value
        return gain > 0 and self.p_value < SIGNIFICANT and not (self.after.partial or self.after.doubt)


def harden(net: Target, wanted: Wanted, session: Session, *, asked: dict[str, Any]) -> tuple[Report, Hardened]:
    """Search, then measure the subject as it was and the one that was taken once on the test rows.

    Args:
        net: what is hardened.
        wanted: against what, with what.
        session: budget, seed, policy and stores.
        asked: settings worth showing in the report.

    Raises:
        UsageError: nothing fits, or too few rows.
        BudgetSpent: no candidate was finished within the budget.
        SubjectError: a subject cannot be measured.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    net.inputs.role("test")
    budget = session.budget.child(share_of(session.budget, SEARCH_SHARE))
    found = search(net, wanted, replace(session, budget=budget))
    probe = yardstick(wanted.against, net.subject).name
    before = measured(probe, net.subject, found.inputs, wanted.params, session)
    doubting = DOUBTS.get(wanted.against, ())
    after = measured(probe, found.subject, found.inputs, wanted.params, session, doubting=doubting)
    compared = Compared(before=before, after=after, p_value=mcnemar(before.kept.tolist(), after.kept.tolist()))
    finding = _finding(compared, found, wanted)
    session.journal.append(finding)
    report = after.report
    run = replace(
        report.run,
        wall_s=round(time.perf_counter() - wall, 3),
        cpu_s=round(time.process_time() - cpu, 3),
    )
    report = replace(
        report,
        run=run,
        probes=(*(replace(p, name=f"{p.name}, before") for p in before.report.probes), *report.probes),
        findings=(finding, *report.findings),
        asked=asked,
        notes=found.notes,
        gate=_gate(compared, found, session),
    )
    return report, found


def _gate(compared: Compared, found: Hardened, session: Session) -> Gate:
    """Pass when better beyond noise, fail when not, undecided when the attack on the later one was cut short."""
    level = session.policy.gate
    if session.budget.interrupted:
        return Gate(level=level, verdict="undecided", exit_code=130, reasons=("interrupted",))
    told = f"{_sentence(compared)}, by {found.taken.name} (McNemar p = {compared.p_value:.2g})"
    if compared.better:
        return Gate(level=level, verdict="pass", exit_code=0, reasons=(told,))
    gain = compared.after.robust.value - compared.before.robust.value
    if compared.after.partial and gain > 0:
        why = f"{told}; the attack on it was cut short: {compared.after.partial}"
        return Gate(level=level, verdict="undecided", exit_code=3, reasons=(why,))
    doubt = (compared.after.doubt,) if compared.after.doubt else ()
    return Gate(level=level, verdict="fail", exit_code=1, reasons=(f"not better at 95 %: {told}", *doubt))


def _sentence(compared: Compared) -> str:
    robust = f"{_percent(compared.before.robust)} -> {_percent(compared.after.robust)}"
    clean = f"{_percent(compared.before.clean)} -> {_percent(compared.after.clean)}"
    return f"robust accuracy {robust}, clean accuracy {clean}"


def _finding(compared: Compared, found: Hardened, wanted: Wanted) -> Finding:
    after = compared.after.report.findings[0]
    remedies = () if compared.better else (RULE.remedy,)
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=after.subject,
        title=f"{_sentence(compared)}, by {found.taken.name}",
        severity=RULE.severity if compared.better else Severity.MEDIUM,
        detail=_detail(compared, found, wanted),
        params={**after.params, "clean_loss": wanted.clean_loss},
        quantities=_quantities(compared, found),
        series=_curves(compared),
        tables=tuple(t for t in (_before_after(compared, found), _alternatives(found), _untried(found)) if t.rows),
        locations=(Location(uri=found.inputs.role("test").name),),
        evidence=_evidence(compared),
        remedies=remedies,
        references=RULE.references,
    )


def _detail(compared: Compared, found: Hardened, wanted: Wanted) -> str:
    verdict = "better" if compared.better else "not better"
    cost = found.taken.training_cpu_s
    told = (
        f"Robust accuracy is {verdict} at 95 % on the same {compared.after.robust.n} test rows (exact McNemar "
        f"p = {compared.p_value:.2g}). {_capital(rule_in_words(wanted.clean_loss))}. The price of {found.taken.name}: "
        f"{cost:.1f} CPU seconds of training; clean accuracy and latency stand in the table."
    )
    return f"{told} {_capital(found.taken.note)}." if found.taken.note else told


def _quantities(compared: Compared, found: Hardened) -> tuple[Quantity, ...]:
    cost = found.taken.training_cpu_s
    return (
        _points("robust_accuracy_gain", compared.before.robust, compared.after.robust),
        _points("clean_accuracy_gain", compared.before.clean, compared.after.clean),
        Quantity(name="training_cpu_s", value=cost, unit="s", n=1, low=cost, high=cost, better="lower"),
        _in_micro("latency_before", found.tried[0].latency_s),
        _in_micro("latency_after", found.taken.latency_s),
    )


def _in_micro(name: str, cost: Quantity) -> Quantity:
    """Return seconds as microseconds a row, which is how they are read."""
    value, low, high = (1e6 * v for v in (cost.value, cost.low, cost.high))
    return replace(cost, name=name, value=value, low=low, high=high, unit="µs")


def _points(name: str, before: Quantity, after: Quantity) -> Quantity:
    """Return how far one rate lies above another in percentage points; the interval takes the rows as unpaired."""
    moved = difference(_counts(before), _counts(after))
    return Quantity(
        name=name,
        value=100 * moved.value,
        unit="points",
        n=after.n,
        low=100 * moved.low,
        high=100 * moved.high,
        better="higher",
        partial=after.partial,
    )


def _counts(rate: Quantity) -> tuple[int, int]:
    return round(rate.value * rate.n), rate.n


def _curves(compared: Compared) -> tuple[Series, ...]:
    after = compared.after.report.findings[0].curve("accuracy_by_eps")
    before = compared.before.report.findings[0].curve("accuracy_by_eps")
    if after is None or before is None:
        return ()
    return after, replace(before, name="before_accuracy_by_eps")


def _before_after(compared: Compared, found: Hardened) -> Table:
    rows: list[tuple[str, str, str, str]] = []
    for name in ("robust", "clean"):
        before, after = getattr(compared.before, name), getattr(compared.after, name)
        gain = f"{100 * (after.value - before.value):+.1f} points"
        rows.append((f"{name} accuracy", _with_interval(before), _with_interval(after), gain))
    slow, fast = found.tried[0].latency_s.value, found.taken.latency_s.value
    change = f"× {fast / slow:.2f}" if slow > 0 else "–"
    rows.append(("latency a row", _micro(slow), _micro(fast), change))
    rows.append(("training", "–", f"{found.taken.training_cpu_s:.1f} CPU s", "–"))
    return Table(name="before_and_after", columns=("what", "before", "after", "change"), rows=tuple(rows))


def _alternatives(found: Hardened) -> Table:
    front = found.front
    rows = tuple(
        (
            one.name,
            round(100 * one.clean.value, 1),
            round(100 * one.robust.value, 1),
            round(1e6 * one.latency_s.value, 1),
            round(one.training_cpu_s, 1),
            _standing(one, found, front),
        )
        for one in found.tried
    )
    columns = ("candidate", "clean %", "robust %", "µs a row", "training s", "standing")
    return Table(name="alternatives", columns=columns, rows=rows, draw="scatter")


def _standing(one: Alternative, found: Hardened, front: tuple[Alternative, ...]) -> str:
    if one is found.taken:
        return "taken"
    return "front" if any(one is other for other in front) else "beaten"


def _untried(found: Hardened) -> Table:
    rows = tuple((u.name, u.why) for u in found.untried)
    return Table(name="not_tried", columns=("mitigation", "why"), rows=rows)


def _evidence(compared: Compared) -> tuple[Evidence, ...]:
    """Keep the points that the subject as it was fell to, beside those of the later one."""
    kept = compared.before.report.findings[0].evidence
    return tuple(replace(e, name=f"before-{e.name}") for e in kept if not e.media_type.startswith("image/"))


def _percent(rate: Quantity) -> str:
    return f"{100 * rate.value:.1f} %"


def _with_interval(rate: Quantity) -> str:
    return f"{_percent(rate)} ({100 * rate.low:.1f}\N{EN DASH}{100 * rate.high:.1f})"


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
