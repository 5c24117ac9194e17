"""JUnit XML, for the test tab of a CI service: one test case a probe and finding."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import escape, quoteattr

from redan.core.catalogue import writer
from redan.reports.figures import bounded, spread, words
from redan.reports.summary import SET_ASIDE, threats, why_set_aside
from redan.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.core.finding import Finding
    from redan.core.report import Ran, Report
    from redan.reports.summary import ThreatSummary

Outcome = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case."""

    name: str
    group: str
    outcome: Outcome
    message: str = ""
    kind: str = ""
    text: str = ""
    seconds: float = 0.0


@writer(name="junit", suffix=".xml", media_type="application/xml")
def write(report: Report) -> bytes:
    """JUnit XML: gating findings fail, what was skipped is skipped, what broke is an error; nothing untested passes."""
    suites = [(t.threat, list(_threat(t, report))) for t in threats(report)]
    own = list(_own(report))
    if own:
        suites.append(("run", own))
    cases = [case for _, found in suites for case in found]
    body = "".join(_suite(name, found) for name, found in suites)
    head = f"<testsuites name={_attr(report.subject.name)} {_totals(cases)}>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}</testsuites>\n'.encode()


def _threat(threat: ThreatSummary, report: Report) -> Iterator[Case]:
    told: set[int] = set()
    for probe in threat.probes:
        mine = [f for f in threat.findings if f.rule == probe.probe and id(f) not in told]
        told.update(map(id, mine))
        yield _probe(probe)
        yield from (_finding(f, probe.name, report) for f in mine)
    yield from (_finding(f, "", report) for f in threat.findings if id(f) not in told)


def _probe(probe: Ran) -> Case:
    outcome: Outcome = {"ran": "passed", "failed": "error"}.get(probe.outcome, "skipped")  # type: ignore[assignment]  # a closed table
    message = "" if probe.outcome == "ran" else f"{probe.outcome}: {probe.why}"
    return Case(
        name=f"{probe.probe} {probe.name}",
        group=f"redan.{probe.threat}.{probe.name}",
        outcome=outcome,
        message=message,
        kind=probe.outcome,
        seconds=probe.wall_s,
    )


def _finding(finding: Finding, probe: str, report: Report) -> Case:
    outcome: Outcome = "passed"
    message = finding.title
    if finding.gates(report.gate.level):
        outcome = "failure"
    elif finding.status == "inconclusive":
        outcome, message = "error", f"could not be decided: {finding.title}"
    elif finding.status in SET_ASIDE:
        outcome, message = "skipped", f"{finding.status}: {why_set_aside(finding)}"
    return Case(
        name=f"{finding.rule} {finding.title} [{finding.fingerprint}]",
        group=".".join(filter(None, ["redan", finding.threat, probe])),
        outcome=outcome,
        message=message,
        kind=finding.severity.word,
        text=_text(finding),
    )


def _text(finding: Finding) -> str:
    lines = [f"severity: {finding.severity.word}", finding.detail]
    lines += [f"at {place.uri}, {place.address}" if place.address else f"at {place.uri}" for place in finding.locations]
    lines += [f"{words(q.name)}: {bounded(q)} ({spread(q)}, n={q.n:,})" for q in finding.quantities]
    lines += [f"remedy: {remedy}" for remedy in finding.remedies]
    return "\n".join(filter(None, [*lines, f"next: redan explain {finding.rule}"]))


def _own(report: Report) -> Iterator[Case]:
    """Yield what belongs to no threat: files not examined, and a decision that no finding explains."""
    for file in report.unexamined:
        yield Case(
            name=file.path, group="redan.files", outcome="skipped", message=f"not examined: {file.why}", kind="file"
        )
    gate = report.gate
    explained = any(f.gates(gate.level) for f in report.findings)
    if gate.verdict == "undecided" or (gate.verdict == "fail" and not explained):
        outcome: Outcome = "error" if gate.verdict == "undecided" else "failure"
        yield Case(name="gate", group="redan.gate", outcome=outcome, message="; ".join(gate.reasons), kind=gate.verdict)


def _suite(name: str, cases: list[Case]) -> str:
    body = "".join(map(_case, cases))
    return f" <testsuite name={_attr(name)} {_totals(cases)}>\n{body} </testsuite>\n"


def _totals(cases: list[Case]) -> str:
    counts = {plural: sum(c.outcome == one for c in cases) for one, plural in _COUNTED.items()}
    told = " ".join(f'{plural}="{count}"' for plural, count in counts.items())
    return f'tests="{len(cases)}" {told} time="{_seconds(sum(c.seconds for c in cases))}"'


_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def _seconds(value: float) -> str:
    return f"{value if isfinite(value) else 0:.3f}"


def _case(case: Case) -> str:
    head = f"  <testcase name={_attr(case.name)} classname={_attr(case.group)} time={_attr(_seconds(case.seconds))}"
    text = escape(visible(case.text, keep="\n"))
    if case.outcome == "passed":
        return f"{head}><system-out>{text}</system-out></testcase>\n" if text else f"{head}/>\n"
    if case.outcome == "skipped":
        return f"{head}><skipped message={_attr(case.message)}/></testcase>\n"
    about = f"message={_attr(case.message)} type={_attr(case.kind)}"
    return f"{head}><{case.outcome} {about}>{text}</{case.outcome}></testcase>\n"


def _attr(text: str) -> str:
    return quoteattr(visible(text))
