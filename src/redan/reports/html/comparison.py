"""Two reports against each other: the answer first, then each change with its numbers before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.figures import bounded, plural, spread, words
from redan.reports.html.charts import rate_bar
from redan.reports.html.markup import Html, el, join, table
from redan.reports.html.verdict import MOST_NAME, chip, pairs, sign
from redan.reports.visible import shortened

if TYPE_CHECKING:
    from redan.core.compare import Change, Comparison
    from redan.core.finding import Finding, Quantity
    from redan.core.report import Report

ORDER = {
    "new": "New",
    "worse": "Worse beyond noise",
    "better": "Better beyond noise",
    "fixed": "Fixed",
    "noise": "Within noise",
    "same": "Unchanged",
}
"""Kinds of change with their headings, what needs a reader first."""


def hero(comparison: Comparison) -> Html:
    """Return whether the later report is worse, and how many changes there are of each kind."""
    before, after = comparison.before, comparison.after
    tone, word = ("fail", "WORSE") if comparison.worse else ("pass", "NOT WORSE")
    heading = el("h1", el("span", word, class_="word"), f" {_name(before)} → {_name(after)}")
    counts = [(ORDER[kind], str(sum(c.kind == kind for c in comparison.changes))) for kind in ORDER]
    gates = f"{before.gate.verdict} → {after.gate.verdict}"
    told = el("p", "Judged by 95 % intervals: a difference within them is noise.")
    facts = pairs([("Gate", gates), *counts, ("Before", before.run.started), ("After", after.run.started)])
    return el(
        "div", sign(tone), el("div", heading, told), facts, class_=f"hero tone-{tone}", id="verdict", tabindex="-1"
    )


def _name(report: Report) -> str:
    return shortened(report.subject.name, MOST_NAME)


def changes(comparison: Comparison, kind: str) -> Html:
    """Return every change of one kind."""
    return join(_change(c) for c in comparison.changes if c.kind == kind)


def _change(change: Change) -> Html:
    shown = change.after or change.before
    head = el(
        "div",
        el("h3", change.title or change.rule),
        _severities(change.before, change.after),
        class_="head",
    )
    status = f" ({shown.status})" if shown is not None and shown.status != "open" else ""
    rule = el("p", el("span", change.rule, class_="mono soft"), f" {change.detail}{status}")
    numbers = _numbers(change.before, change.after) if change.kind != "same" and shown is not None else None
    return el("article", head, rule, numbers, class_="card change")


def _severities(before: Finding | None, after: Finding | None) -> Html:
    ends = [chip(f.severity) for f in (before, after) if f is not None]
    if before is not None and after is not None and before.severity == after.severity:
        return ends[0]
    return el("span", *(ends[:1] if len(ends) == 1 else (ends[0], " → ", ends[1])))


def _numbers(before: Finding | None, after: Finding | None) -> Html | None:
    names = dict.fromkeys(q.name for f in (before, after) if f is not None for q in f.quantities)
    rows = [
        (
            f"{words(name)}, {when}",
            _drawn(quantity),
            bounded(quantity),
            spread(quantity),
            f"{quantity.n:,}",
        )
        for name in names
        for when, side in (("before", before), ("after", after))
        if side is not None and (quantity := side.quantity(name)) is not None
    ]
    columns = ("what", "", "value", "95 % interval", "n")
    return table("Before and after", columns, rows, numeric="  nnn") if rows else None


def _drawn(quantity: Quantity) -> Html | None:
    return rate_bar(quantity.value, quantity.low, quantity.high) if quantity.unit == "fraction" else None


def summary_line(comparison: Comparison) -> str:
    """Return one sentence for the foot of the page."""
    return f"{plural(len(comparison.changes), 'change')} between two reports"
