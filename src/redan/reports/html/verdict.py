"""What a reader sees first: the verdict with its reasons, what was not tested, one card a threat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.figures import bounded, plural, spread, words
from redan.reports.html.charts import rate_bar
from redan.reports.html.markup import Child, Html, el, join, listing
from redan.reports.summary import WORST_FIRST, counting, gaps, set_aside, tally, threats
from redan.reports.visible import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.finding import Quantity, Severity
    from redan.core.report import Report
    from redan.reports.summary import ThreatSummary

MOST_NAME = 120
"""Longest name beside the verdict; the whole name stands with the facts of the run."""

_SIGNS = {
    "pass": "M10 33 L26 49 L54 15",
    "fail": "M14 14 L50 50 M50 14 L14 50",
    "undecided": "M20 22 Q22 10 34 11 Q46 13 44 25 Q42 33 32 35 L32 41 M32 52 L32 53",
}
_SENTENCES = {
    "pass": "Nothing open reaches the gate.",
    "fail": "Something open reaches the gate.",
    "undecided": "This run cannot say. Undecided is not a pass.",
}
_GLYPHS = {"critical": "⬣", "high": "▲", "medium": "◆", "low": "●", "info": "○"}


def chip(severity: Severity) -> Html:
    """Show a severity as a word with a sign of its own; the colour only repeats it."""
    return el(
        "span", el("span", _GLYPHS[severity.word], aria_hidden="true"), severity.word, class_=f"chip is-{severity.word}"
    )


def tag(word: str) -> Html:
    """Show a verdict on a file or the outcome of a probe."""
    return el("span", word, class_=f"chip is-{word.split(' ', maxsplit=1)[0]}")


def sign(verdict: str) -> Html:
    """Draw a verdict's sign: a tick, a cross or a question mark."""
    return el("svg", el("path", d=_SIGNS[verdict]), viewBox="0 0 64 64", aria_hidden="true")


def hero(report: Report) -> Html:
    """Return the verdict, its reasons and the facts of the run in a line."""
    gate = report.gate
    heading = el("h1", el("span", gate.verdict.upper(), class_="word"), f" {shortened(report.subject.name, MOST_NAME)}")
    worst = [f"{sum(f.severity == s for f in counting(report))} {s.word}" for s in WORST_FIRST]
    told = [t for t in worst if not t.startswith("0 ")]
    files = ", ".join(f"{count:,} {verdict}" for verdict, count in tally(report.artifacts).items())
    facts = [
        ("Gate", f"{gate.level.word} (exit code {gate.exit_code})"),
        ("Findings that count", ", ".join(told) or "none"),
        ("Set aside", f"{len(set_aside(report))}"),
        ("Files", files),
        ("Subject", report.subject.kind),
        ("Started", report.run.started),
    ]
    body = el("div", heading, el("p", _SENTENCES[gate.verdict]), listing(gate.reasons))
    return el(
        "div", sign(gate.verdict), body, pairs(facts), class_=f"hero tone-{gate.verdict}", id="verdict", tabindex="-1"
    )


def pairs(facts: Iterable[tuple[str, Child]]) -> Html:
    """Return names with their values, leaving out the empty ones."""
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts if value), class_="facts")


def untested(report: Report) -> Html:
    """Return the notice of everything that was not tested or not to its end, or nothing."""
    missing = gaps(report)
    if not missing:
        return Html()
    shown = [join([tag(g.outcome), " ", el("b", g.what), ": ", g.why]) for g in missing[:MOST_GAPS]]
    more = (
        [f"and {plural(len(missing) - MOST_GAPS, 'gap')} more, in the JSON report"] if len(missing) > MOST_GAPS else []
    )
    title = el("h2", "Not tested, or not to the end")
    return el("div", title, el("p", "Not tested is not safe."), listing([*shown, *more]), class_="notice")


MOST_GAPS = 200


def cards(report: Report) -> Html:
    """Return one card a threat."""
    found = [_card(t, report) for t in threats(report)]
    return el("div", *found, class_="cards") if found else Html()


def _card(threat: ThreatSummary, report: Report) -> Html:
    worst = chip(threat.worst) if threat.worst is not None else None
    head = el("div", el("h3", words(threat.threat)), worst, class_="head")
    body = _number(threat.headline) if threat.headline is not None else _without_number(threat)
    state = [
        f"{plural(sum(p.outcome == o for p in threat.probes), 'probe')} {o}"
        for o in ("ran", "partial", "skipped", "failed")
    ]
    told = ", ".join(s for s in state if not s.startswith("0 ")) or "no probe is recorded"
    links = [el("a", f.rule, href=f"#finding-{k}") for k, f in enumerate(report.findings) if f.threat == threat.threat]
    more = len(links) - 6
    linked = join([el("span", " ", link) for link in links[:6]]) if links else None
    rest = f" and {more} more" if more > 0 else None
    where = el("p", "Findings:", linked, rest, class_="small") if links else None
    return el("article", head, body, el("p", told, class_="soft small"), where, class_="card")


def _number(rate: Quantity) -> Html:
    better = {"higher": "higher is better", "lower": "lower is better"}[rate.better]
    return join(
        [
            el("p", bounded(rate), class_="big"),
            el("p", f"{words(rate.name)}, {better}", class_="small"),
            rate_bar(rate.value, rate.low, rate.high),
            el("div", el("span", "0 %"), el("span", "100 %"), class_="scale", aria_hidden="true"),
            el("p", f"95 % interval {spread(rate)}, n = {rate.n:,}", class_="small"),
        ]
    )


def _without_number(threat: ThreatSummary) -> Html:
    if threat.measured == "not tested":
        return el("p", "Not tested", class_="big none")
    if threat.findings:
        return el("p", plural(len(threat.findings), "finding"), class_="big")
    return el("p", "Nothing found by what ran", class_="big none")
