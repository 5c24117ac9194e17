"""GitHub-flavoured Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.core.catalogue import writer
from redan.reports.figures import bounded, plural, spread, words
from redan.reports.summary import also_read, counting, gaps, set_aside, standing, tally, threats, why_set_aside
from redan.reports.tables import cell, filled
from redan.reports.visible import shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.compare import Comparison
    from redan.core.finding import Finding, Severity, Table
    from redan.core.report import Report
    from redan.reports.summary import ThreatSummary

MOST_BYTES = 60_000
"""A comment on GitHub holds 65 536 characters; the rest is left for whatever a CI step writes around the report."""
MOST_CHARACTERS = 300
MOST_ROWS, MOST_COLUMNS = 12, 12

_SIGN = {"pass": "✅", "fail": "❌", "undecided": "⚠️"}
_ESCAPES = {
    **{char: f"\\{char}" for char in "\\*_[]~"},
    **{char: f"&#{ord(char)};" for char in "<>&|`\"'!$"},
}
_LINK = re.compile(r"(?i)(https?|ftp|www|[@#])(?=[:.\w])")
"""What GitHub turns into a link or a mention; a zero-width space behind it keeps hostile names from doing so."""


@writer(name="markdown", suffix=".md", media_type="text/markdown; charset=utf-8")
def write(report: Report) -> bytes:
    """Markdown: verdict, threats, one row a finding and what was not tested, for a pull-request comment."""
    sections = [
        _head(report),
        _threats(threats(report)),
        _table("Findings", ("Severity", "Rule", "Finding", "Where"), map(_row, counting(report))),
        *(_tabulated(found, one) for found in counting(report) for one in found.tables),
        _table("Set aside, not gating", ("Severity", "Rule", "Finding", "Why"), map(_aside, set_aside(report))),
        _artifacts(report),
        _gaps(report),
        _run(report),
    ]
    return _fitted(sections)


def plain(text: str) -> str:
    """Escape foreign text so that it is neither markup, a mention, a link nor the end of a table cell."""
    shown = _LINK.sub("\\1\u200b", shortened(visible(text.strip()), MOST_CHARACTERS))
    return "".join(_ESCAPES.get(char, char) for char in shown)


def code(text: str) -> str:
    """Show foreign text as code; HTML rather than backticks, because those cannot hold every text."""
    shown = shortened(visible(text), MOST_CHARACTERS)
    entities = "".join(c if c.isalnum() or c in " /.,:-=+" or ord(c) > 126 else f"&#{ord(c)};" for c in shown)
    return f"<code>{entities}</code>" if shown.strip() else ""


def _head(report: Report) -> list[str]:
    gate = report.gate
    title = f"## {_SIGN[gate.verdict]} Redan: {gate.verdict.upper()} – {plain(report.subject.name)}"
    reasons = [f"- {plain(reason)}" for reason in gate.reasons]
    return [title, "", f"Gate: **{gate.level.word}**", *reasons, *(f"- note: {plain(n)}" for n in report.notes)]


def _threats(found: tuple[ThreatSummary, ...]) -> list[str]:
    columns = ("Threat", "Number", "Value", "95 % interval", "n", "Worst finding", "Tested")
    return _table("Threats", columns, map(_threat, found))


def _threat(threat: ThreatSummary) -> tuple[str, ...]:
    rate = threat.headline
    worst = threat.worst.word if threat.worst is not None else "–"
    number = (
        ("–",) * 4 if rate is None else (plain(words(rate.name)), f"**{bounded(rate)}**", spread(rate), f"{rate.n:,}")
    )
    tested = threat.measured if threat.measured == "measured" else f"**{threat.measured}**"
    return (plain(words(threat.threat)), *number, worst, tested)


def _row(finding: Finding) -> tuple[str, ...]:
    title = plain(finding.title)
    if finding.status == "inconclusive":
        title = f"*could not be decided:* {title}"
    places = [code(f"{p.uri}, {p.address}" if p.address else p.uri) for p in finding.locations[:3]]
    more = [f"and {len(finding.locations) - 3} more"] if len(finding.locations) > 3 else []
    return (_severity(finding.severity), code(finding.rule), title, "<br>".join([*places, *more]))


def _tabulated(finding: Finding, found: Table) -> list[str]:
    """Return a table of a finding, its first rows and columns only: a comment is no place for a large one."""
    width = min(len(found.columns), MOST_COLUMNS)
    rows = [tuple(plain(cell(value)) or "–" for value in filled(row, width)) for row in found.rows[:MOST_ROWS]]
    left = [
        f"{plural(count, noun)} more"
        for count, noun in ((len(found.rows) - MOST_ROWS, "row"), (len(found.columns) - width, "column"))
        if count > 0
    ]
    more = ["", f"and {', '.join(left)}, in the JSON report"] if left and width else []
    title = f"{plain(finding.rule)}: {plain(words(found.name))}"
    return [*_table(title, tuple(plain(name) or "–" for name in found.columns[:width]), rows), *more] if width else []


def _aside(finding: Finding) -> tuple[str, ...]:
    why = f"{finding.status}: {plain(why_set_aside(finding))}"
    return (_severity(finding.severity), code(finding.rule), plain(finding.title), why)


def _severity(severity: Severity) -> str:
    return f"**{severity.word}**" if severity.word in ("critical", "high") else severity.word


def _artifacts(report: Report) -> list[str]:
    shown = sorted((a for a in report.artifacts if a.verdict != "safe"), key=lambda a: a.verdict != "unsafe")
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in tally(report.artifacts).items())
    rows = [(a.verdict, code(a.path), plain("; ".join(a.reasons))) for a in shown]
    read = [plain(f"Also read: {'; '.join(also_read(report))}")] if report.examined else []
    if rows:
        return [*_table(f"Files: {told}", ("Verdict", "File", "Reasons"), rows), *read]
    return [*([f"### Files: {told}"] if told else []), *read]


def _gaps(report: Report) -> list[str]:
    missing = gaps(report)
    title = f"Not tested, or not to the end ({plural(len(missing), 'gap')}): not tested is not safe"
    return _table(title, ("What", "Outcome", "Why"), [(plain(g.what), g.outcome, plain(g.why)) for g in missing])


def _run(report: Report) -> list[str]:
    run = report.run
    told = f"{plain(report.tool.name)} {plain(report.tool.version)}, seed {run.seed}, {plural(run.threads, 'thread')}"
    return [told + (f" · again: {code(run.command)}" if run.command else "")]


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return []
    return [f"### {title}", "", f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns), *body]


def _fitted(sections: list[list[str]]) -> bytes:
    """Join the sections; lines beyond the size of a comment are left out and counted."""
    lines = [line for section in sections if section for line in [*section, ""]]
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > MOST_BYTES:
            kept += [
                "",
                f"**{plural(len(lines) - len(kept), 'line')} did not fit here**: see the HTML or JSON report.",
                "",
            ]
            break
        kept.append(line)
    return ("\n".join(kept).rstrip("\n") + "\n").encode()


_ORDER = ("new", "worse", "better", "fixed", "noise", "same")


def write_comparison(comparison: Comparison) -> bytes:
    """Write what is new, fixed, worse, better or within noise as Markdown, one row a change."""
    before, after = comparison.before, comparison.after
    sign, verdict = (_SIGN["fail"], "WORSE") if comparison.worse else (_SIGN["pass"], "NOT WORSE")
    head = [
        f"## {sign} Redan: {verdict} – {plain(before.subject.name)} → {plain(after.subject.name)}",
        "",
        f"Gate: **{before.gate.verdict}** → **{after.gate.verdict}**",
    ]
    changes = sorted(comparison.changes, key=lambda c: _ORDER.index(c.kind))
    rows = [(c.kind, standing(c), code(c.rule), plain(c.title), plain(c.detail)) for c in changes]
    return _fitted(
        [head, _table("Changes", ("Change", "Severity", "Rule", "Finding", "Numbers"), rows), _gaps(after), _run(after)]
    )
