"""One HTML file that needs nothing else: no network, no script to be read, any screen, paper too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.catalogue import writer
from redan.reports.html import appendix, finding, verdict
from redan.reports.html import comparison as changed
from redan.reports.html.filtering import filter_bar
from redan.reports.html.markup import Html, el, join
from redan.reports.html.page import page
from redan.reports.visible import shortened

if TYPE_CHECKING:
    from redan.core.compare import Comparison
    from redan.core.report import Report


@writer(name="html", suffix=".html", media_type="text/html; charset=utf-8")
def write(report: Report) -> bytes:
    """HTML: one self-contained page with verdict, threats, curves, pictures, files and how to repeat it."""
    gate = report.gate
    sections = [
        ("threats", "Threats", verdict.cards(report)),
        ("findings", "Findings", join([filter_bar(report), finding.findings(report, aside=False)]) or _clean(report)),
        ("aside", "Set aside, not gating", finding.findings(report, aside=True)),
        ("files", "Files", appendix.artifacts(report)),
        ("ran", "What ran and what did not", appendix.probes(report)),
        ("again", "Repeat it", appendix.again(report)),
        ("facts", "Facts of the run", appendix.facts(report)),
    ]
    return page(
        f"{gate.verdict.upper()} – {shortened(report.subject.name, verdict.MOST_NAME)} – Redan",
        sections,
        lead=join([verdict.hero(report), verdict.untested(report)]),
        end=el("p", f"Written by {report.tool.name} {report.tool.version}. Schema {report.schema}."),
    )


def _clean(report: Report) -> Html:
    told = "Nothing was found by what ran." if report.probes else "Nothing ran, so nothing could be found."
    return el("p", told)


def write_comparison(comparison: Comparison) -> bytes:
    """Write before and after as one self-contained page: what is new, fixed, worse, better or within noise."""
    after = comparison.after
    sections = [(kind, heading, changed.changes(comparison, kind)) for kind, heading in changed.ORDER.items()]
    return page(
        f"{'WORSE' if comparison.worse else 'NOT WORSE'} – {shortened(after.subject.name, verdict.MOST_NAME)} – Redan",
        [
            *sections,
            ("again", "Repeat the later run", appendix.again(after)),
            ("facts", "Facts of the later run", appendix.facts(after)),
        ],
        lead=join([changed.hero(comparison), verdict.untested(after)]),
        end=el("p", f"{changed.summary_line(comparison)}. Written by {after.tool.name} {after.tool.version}."),
    )
