"""One finding in full: numbers, curves, pictures, where it is, what helps and how to look further."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

from redan.core.errors import EvidenceError
from redan.core.finding import Severity
from redan.reports.figures import bounded, spread, words
from redan.reports.html.markup import Html, el, join, listing, table, text
from redan.reports.html.series import figures
from redan.reports.html.tables import tabulated
from redan.reports.html.verdict import chip, pairs
from redan.reports.summary import SET_ASIDE, why_set_aside

if TYPE_CHECKING:
    from redan.core.finding import Evidence, Finding
    from redan.core.report import Blobs, Report

MOST_OPEN = 25
"""How many findings are unfolded at first; the others unfold by click, key or print."""

_PAGES = {
    "arxiv": (re.compile(r"^(\d{4}\.\d{4,5})(v\d+)?$"), "https://arxiv.org/abs/{}"),
    "doi": (re.compile(r"^10\.\d{4,9}/[-._;()/:A-Za-z0-9]+$"), "https://doi.org/{}"),
    "cwe": (re.compile(r"^\d{1,5}$"), "https://cwe.mitre.org/data/definitions/{}.html"),
    "atlas": (re.compile(r"^AML\.T\d{4}(\.\d{3})?$"), "https://atlas.mitre.org/techniques/{}"),
}
"""Where a reference's page is; only an identifier of exactly the right form becomes a link."""


def findings(report: Report, *, aside: bool) -> Html:
    """Return the findings that count, or those that were set aside, the worst first."""
    chosen = [(k, f) for k, f in enumerate(report.findings) if (f.status in SET_ASIDE) is aside]
    chosen.sort(key=lambda pair: -pair[1].severity)
    return join(_finding(f, k, report, unfold=place < MOST_OPEN) for place, (k, f) in enumerate(chosen))


def _finding(finding: Finding, number: int, report: Report, *, unfold: bool) -> Html:
    undecided = (
        el("span", "could not be decided", class_="chip is-medium") if finding.status == "inconclusive" else None
    )
    aside = el("span", finding.status, class_="chip is-info") if finding.status in SET_ASIDE else None
    head = el(
        "summary",
        chip(finding.severity),
        aside,
        undecided,
        el("h3", finding.title or finding.rule),
        el("span", finding.rule, class_="mono soft"),
    )
    parts = [
        _why(finding),
        _places(finding),
        _numbers(finding),
        _charts(finding, report.findings),
        _tables(finding),
        _pictures(finding, report.blobs),
    ]
    parts += [_remedies(finding), _next(finding), _further(finding)]
    return el(
        "details",
        head,
        el("div", *parts, class_="body"),
        class_="finding",
        id=f"finding-{number}",
        data_severity=finding.severity.word,
        open=unfold,
    )


def _why(finding: Finding) -> Html:
    aside = el("p", f"Does not gate: {why_set_aside(finding)}") if finding.status in SET_ASIDE else None
    detail = el("p", text(finding.detail, keep="\n"), class_="pre") if finding.detail else None
    return join([aside, detail])


def _places(finding: Finding) -> Html:
    if not finding.locations:
        return Html()
    shown = [
        join([el("code", place.uri), el("span", f" {place.address}", class_="soft mono") if place.address else None])
        for place in finding.locations
    ]
    return join([el("h4", "Where"), listing(shown)])


def _numbers(finding: Finding) -> Html:
    if not finding.quantities:
        return Html()
    better = {"higher": "higher", "lower": "lower", "neither": "–"}
    rows = [(words(q.name), bounded(q), spread(q), f"{q.n:,}", better[q.better]) for q in finding.quantities]
    return table("Numbers", ("what", "value", "95 % interval", "n", "better is"), rows, numeric=" nnn")


def _charts(finding: Finding, others: tuple[Finding, ...]) -> Html:
    shown = figures(finding, others)
    return el("div", *shown, class_="charts") if shown else Html()


def _tables(finding: Finding) -> Html:
    return join(tabulated(one) for one in finding.tables)


def _pictures(finding: Finding, blobs: Blobs | None) -> Html:
    pictures = [_picture(e, blobs) for e in finding.evidence if e.media_type == "image/png"]
    if not pictures:
        return Html()
    return join([el("h4", "Examples"), el("div", *pictures, class_="pictures")])


def _picture(evidence: Evidence, blobs: Blobs | None) -> Html:
    data = evidence.payload if evidence.payload is not None else _bytes(evidence, blobs)
    caption = el("figcaption", evidence.note or evidence.name)
    if data is None:
        return el("figure", el("p", f"This picture lies in the run folder: {evidence.name}", class_="soft"), caption)
    triptych = evidence.name.startswith("triptych")
    parts = [el("span", part) for part in ("clean", "adversarial", "difference × 10")] if triptych else []
    source = f"data:image/png;base64,{b64encode(data).decode()}"
    image = el("img", src=source, alt=evidence.note or words(evidence.name))
    return el("figure", el("div", *parts, class_="parts") if parts else None, image, caption)


def _bytes(evidence: Evidence, blobs: Blobs | None) -> bytes | None:
    """Return the stored bytes, or None where they are not at hand or not the ones that were recorded."""
    if blobs is None:
        return None
    try:
        return blobs.get(evidence.sha256)
    except EvidenceError:
        return None


def _remedies(finding: Finding) -> Html:
    if not finding.remedies or finding.severity == Severity.INFO:
        return Html()
    return join([el("h4", "What helps"), listing(finding.remedies)])


def _next(finding: Finding) -> Html:
    sources = [join([" ", _reference(r)]) for r in finding.references]
    told = el("p", "Sources:", *sources, class_="small") if sources else None
    return join([told, el("p", "Next: ", el("code", f"redan explain {finding.rule}"), class_="small")])


def _further(finding: Finding) -> Html:
    """Return parameters, fingerprint and digests: what a second look needs and a first one does not."""
    settings = [(name, str(value)) for name, value in sorted(finding.params.items())]
    told = [("fingerprint", finding.fingerprint), ("confidence", finding.confidence), ("subject", finding.subject)]
    stored = [
        (e.name, e.media_type, f"{e.size_bytes:,}", el("span", e.sha256, class_="mono"), e.note)
        for e in finding.evidence
    ]
    columns = ("name", "type", "bytes", "SHA-256", "note")
    return el(
        "details",
        el("summary", "Settings and evidence"),
        pairs([*told, *settings]),
        table("Evidence", columns, stored, numeric="  n") if stored else None,
    )


def _reference(reference: str) -> Html:
    scheme, _, key = reference.partition(":")
    form, address = _PAGES.get(scheme, (None, ""))
    if form is None or not form.fullmatch(key):
        return text(reference)
    return el("a", reference, href=address.format(key), rel="noreferrer noopener")
