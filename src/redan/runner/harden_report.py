"""Before and after, measured once on the test rows: the report of a hardening."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redan.core import catalogue
from redan.core.compare import difference as moved
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Table
from redan.core.report import Gate, Report
from redan.kernels.statistics import mcnemar
from redan.runner.harden import Hardened, Wanted, search, share_of
from redan.runner.harden_candidates import craft
from redan.runner.harden_measuring import Measured, measured
from redan.runner.harden_pareto import rule_in_words, shown, signed

if TYPE_CHECKING:
    from redan.core.catalogue import Rule
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
        p_value: exact McNemar test that both withstand equally often; None where no row can be held against itself.
    """

    before: Measured
    after: Measured
    p_value: float | None

    @property
    def gain(self) -> float:
        """How much better the later one is; negative when it is worse."""
        return signed(self.after.worth) - signed(self.before.worth)

    @property
    def better(self) -> bool:
        """Whether the later one is better beyond noise; one cut short or in doubt proves no such thing."""
        low, high = moved(self.before.worth, self.after.worth)
        apart = low > 0 or high < 0 if self.p_value is None else self.p_value < SIGNIFICANT
        return self.gain > 0 and apart and not (self.after.partial or self.after.doubt)

    @property
    def test(self) -> str:
        """The test in words."""
        if self.p_value is not None:
            return f"McNemar p = {self.p_value:.2g}"
        low, high = moved(self.before.worth, self.after.worth)
        return f"difference {low:+.3g} to {high:+.3g} at 95 %"


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
    before = measured(found.probe, net.subject, found.inputs, wanted.params, session)
    doubting = craft(wanted.against).doubts
    after = measured(found.probe, found.subject, found.inputs, wanted.params, session, doubting=doubting)
    compared = Compared(before=before, after=after, p_value=_paired(before, after))
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


def _paired(before: Measured, after: Measured) -> float | None:
    """Return the p-value of the rows held against themselves, or None where either says nothing row by row."""
    if before.kept is None or after.kept is None:
        return None
    return mcnemar(before.kept.tolist(), after.kept.tolist())


def _gate(compared: Compared, found: Hardened, session: Session) -> Gate:
    """Pass when better beyond noise, fail when not, undecided when the attack on the later one was cut short."""
    level = session.policy.gate
    if session.budget.interrupted:
        return Gate(level=level, verdict="undecided", exit_code=130, reasons=("interrupted",))
    told = f"{_sentence(compared)}, by {found.taken.name} ({compared.test})"
    if compared.better:
        return Gate(level=level, verdict="pass", exit_code=0, reasons=(told,))
    if compared.after.partial and compared.gain > 0:
        why = f"{told}; the measurement of it was cut short: {compared.after.partial}"
        return Gate(level=level, verdict="undecided", exit_code=3, reasons=(why,))
    doubt = (compared.after.doubt,) if compared.after.doubt else ()
    return Gate(level=level, verdict="fail", exit_code=1, reasons=(f"not better at 95 %: {told}", *doubt))


def _sentence(compared: Compared) -> str:
    before, after = compared.before, compared.after
    worth = f"{_words(after.worth)} {shown(before.worth)} -> {shown(after.worth)}"
    return f"{worth}, clean accuracy {shown(before.clean)} -> {shown(after.clean)}"


def _words(worth: Quantity) -> str:
    return worth.name.replace("_", " ")


def _finding(compared: Compared, found: Hardened, wanted: Wanted) -> Finding:
    after = compared.after.finding
    rule: Rule = catalogue.load(catalogue.entry("rule", craft(wanted.against).rule))
    remedies = () if compared.better else (rule.remedy,)
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=after.subject,
        title=f"{_sentence(compared)}, by {found.taken.name}",
        severity=rule.severity if compared.better else Severity.MEDIUM,
        detail=_detail(compared, found, wanted),
        params={**after.params, "clean_loss": wanted.clean_loss},
        quantities=_quantities(compared, found),
        series=_curves(compared),
        tables=tuple(t for t in (_before_after(compared, found), _alternatives(found), _untried(found)) if t.rows),
        locations=(Location(uri=found.inputs.role("test").name),),
        evidence=_evidence(compared),
        remedies=remedies,
        references=rule.references,
    )


def _detail(compared: Compared, found: Hardened, wanted: Wanted) -> str:
    verdict = "better" if compared.better else "not better"
    cost = found.taken.training_cpu_s
    told = (
        f"{_capital(_words(compared.after.worth))} is {verdict} at 95 %, measured on the same "
        f"{len(found.inputs.role('test'))} test rows ({compared.test}). "
        f"{_capital(rule_in_words(wanted.clean_loss, compared.after.worth))}. "
        f"The price of {found.taken.name}: {cost:.1f} CPU seconds of training; clean accuracy and latency stand in "
        "the table."
    )
    return f"{told} {_capital(found.taken.note)}." if found.taken.note else told


def _quantities(compared: Compared, found: Hardened) -> tuple[Quantity, ...]:
    cost = found.taken.training_cpu_s
    return (
        _gained(compared.before.worth, compared.after.worth),
        _gained(compared.before.clean, compared.after.clean),
        Quantity(name="training_cpu_s", value=cost, unit="s", n=1, low=cost, high=cost, better="lower"),
        _in_micro("latency_before", found.tried[0].latency_s),
        _in_micro("latency_after", found.taken.latency_s),
    )


def _in_micro(name: str, cost: Quantity) -> Quantity:
    """Return seconds as microseconds a row, which is how they are read."""
    value, low, high = (1e6 * v for v in (cost.value, cost.low, cost.high))
    return replace(cost, name=name, value=value, low=low, high=high, unit="µs")


def _gained(before: Quantity, after: Quantity) -> Quantity:
    """Return how far the later number lies above the earlier; the interval takes the rows as unpaired.

    Of a fraction in percentage points. It is called a gain where more is better, else a change.
    """
    scale = 100 if after.unit == "fraction" else 1
    low, high = moved(before, after)
    return Quantity(
        name=f"{after.name}_{'gain' if after.better == 'higher' else 'change'}",
        value=scale * (after.value - before.value),
        unit="points" if after.unit == "fraction" else after.unit,
        n=after.n,
        low=scale * low,
        high=scale * high,
        better=after.better,
        partial=after.partial,
    )


def _curves(compared: Compared) -> tuple[Series, ...]:
    after = compared.after.finding.curve("accuracy_by_eps")
    before = compared.before.finding.curve("accuracy_by_eps")
    if after is None or before is None:
        return ()
    return after, replace(before, name="before_accuracy_by_eps")


def _before_after(compared: Compared, found: Hardened) -> Table:
    rows: list[tuple[str, str, str, str]] = []
    seen, then = compared.after, compared.before
    others = [(old, q) for q in seen.finding.quantities[1:] if (old := then.finding.quantity(q.name)) is not None]
    others = [(old, q) for old, q in others if q.better != "neither" and q.name != "clean_accuracy"]
    for before, after in ((then.worth, seen.worth), (then.clean, seen.clean), *others):
        change = _gained(before, after)
        by = f"{change.value:+.1f} points" if change.unit == "points" else f"{change.value:+.3g}"
        rows.append((_words(after), _with_interval(before), _with_interval(after), by))
    slow, fast = found.tried[0].latency_s.value, found.taken.latency_s.value
    times = f"× {fast / slow:.2f}" if slow > 0 else "–"
    rows.append(("latency a row", _micro(slow), _micro(fast), times))
    rows.append(("training", "–", f"{found.taken.training_cpu_s:.1f} CPU s", "–"))
    return Table(name="before_and_after", columns=("what", "before", "after", "change"), rows=tuple(rows))


def _alternatives(found: Hardened) -> Table:
    front = found.front
    rows = tuple(
        (
            one.name,
            round(100 * one.clean.value, 1),
            _cell(one.worth),
            round(1e6 * one.latency_s.value, 1),
            round(one.training_cpu_s, 1),
            _standing(one, found, front),
        )
        for one in found.tried
    )
    worth = found.taken.worth
    unit = " %" if worth.unit == "fraction" else ""
    columns = (
        "candidate",
        "clean %",
        f"{_words(worth).removesuffix(' accuracy')}{unit}",
        "µs a row",
        "training s",
        "standing",
    )
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
    kept = compared.before.finding.evidence
    return tuple(replace(e, name=f"before-{e.name}") for e in kept if not e.media_type.startswith("image/"))


def _cell(worth: Quantity) -> float:
    return round(100 * worth.value, 1) if worth.unit == "fraction" else round(worth.value, 4)


def _with_interval(rate: Quantity) -> str:
    if rate.unit == "fraction":
        return f"{shown(rate)} ({100 * rate.low:.1f}\N{EN DASH}{100 * rate.high:.1f})"
    return f"{shown(rate)} ({rate.low:.3f}\N{EN DASH}{rate.high:.3f})"


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} µs"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
