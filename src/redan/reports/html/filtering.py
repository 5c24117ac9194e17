"""The filter over findings: hidden until the script shows it, since without a script it could do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.html.markup import Html, el
from redan.reports.summary import WORST_FIRST

if TYPE_CHECKING:
    from redan.core.report import Report

FEWEST = 2


def filter_bar(report: Report) -> Html:
    """Return the controls, or nothing when there are too few findings to filter."""
    if len(report.findings) < FEWEST:
        return Html()
    present = {f.severity for f in report.findings}
    boxes = [
        el("label", el("input", type="checkbox", value=s.word, checked=True), s.word)
        for s in WORST_FIRST
        if s in present
    ]
    return el(
        "div",
        el("label", "Filter ", el("input", type="search", placeholder="rule, path, word")),
        *boxes,
        el("button", "Unfold all", type="button", id="open"),
        el("button", "Fold all", type="button", id="close"),
        el("span", id="shown", role="status", class_="soft small"),
        class_="filter",
        id="filter",
        hidden=True,
    )
