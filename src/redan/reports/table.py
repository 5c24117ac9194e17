"""Plain text for a terminal or a log: the verdict first, one line a threat, what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.catalogue import writer
from redan.reports.cells import cell_width, pad
from redan.reports.figures import bounded, figure, plural, spread, words
from redan.reports.lines import MAX_WIDTH, MIN_WIDTH, Lines, bar
from redan.reports.summary import (
    WORST_FIRST,
    also_read,
    counting,
    gaps,
    set_aside,
    standing,
    tally,
    threats,
    why_set_aside,
)
from redan.reports.tables import cell, filled, numeric
from redan.reports.visible import shortened, visible

if TYPE_CHECKING:
    from redan.core.compare import Comparison
    from redan.core.finding import Finding, Series, Table
    from redan.core.report import Artifact, Report
    from redan.reports.summary import ThreatSummary

MOST_CHARACTERS = 2000
"""Longest foreign text that is printed; what is left out is counted on the spot."""
MOST_POINTS = 24
MOST_ROWS = 16
MOST_SENTENCES = 4
"""Rows of a table too wide for columns."""
MOST_ARTIFACTS = 40
MOST_GAPS = 40


@writer(name="table", suffix=".txt", media_type="text/plain; charset=utf-8")
def write(report: Report, *, width: int = 80, colour: bool = False) -> bytes:
    """Plain text: verdict, one line a threat, findings by severity, files, and what was not tested.

    Args:
        report: what to show.
        width: most terminal cells a line may take; clamped to 20 … 200.
        colour: add ANSI colours; they repeat what words say.
    """
    lines = Lines(width=min(MAX_WIDTH, max(MIN_WIDTH, width)))
    _verdict(report, lines)
    _threats(report, lines)
    _findings(report, lines)
    _artifacts(report.artifacts, lines)
    _also_read(report, lines)
    _set_aside(report, lines)
    _gaps(report, lines)
    _run(report, lines)
    return lines.render(colour=colour)


def _text(text: str) -> str:
    return shortened(visible(text), MOST_CHARACTERS)


def _verdict(report: Report, lines: Lines) -> None:
    gate = report.gate
    subject = f"{_text(report.subject.name)} ({report.subject.kind})"
    lines.say(f"{gate.verdict.upper()}: {subject}, gate {gate.level.word}", rest="  ", style=gate.verdict)
    for reason in gate.reasons:
        lines.say(_text(reason), first="  - ")
    for note in report.notes:
        lines.say(_text(note), first="  note: ", rest="  ")


def _threats(report: Report, lines: Lines) -> None:
    found = threats(report)
    if not found:
        return
    lines.gap()
    lines.say("Threats", style="title")
    columns = _columns([_rate_cells(t) for t in found if t.headline is not None])
    names = min(20, max(cell_width(words(t.threat)) for t in found))
    for threat in found:
        _threat(threat, names, columns, lines)
    if columns:
        lines.say(
            "bar: # to the lower end, + the 95 % interval; >= and <= where a budget cut it short",
            first="  ",
            style="dim",
        )


def _rate_cells(threat: ThreatSummary) -> list[str]:
    rate = threat.headline
    assert rate is not None
    partly = "" if threat.measured == "measured" else " partly"
    sign = {"higher": "<=", "lower": ">="}.get(rate.better, "") if rate.partial else ""
    return [words(rate.name), sign + figure(rate.value, rate.unit), spread(rate), f"n={rate.n:,}{partly}"]


def _columns(rows: list[list[str]]) -> list[int]:
    return [max(map(cell_width, column)) for column in zip(*rows, strict=True)]


def _threat(threat: ThreatSummary, name_cells: int, columns: list[int], lines: Lines) -> None:
    name = pad(words(threat.threat), name_cells)
    style = threat.worst.word if threat.worst else ""
    rate = threat.headline
    if rate is None:
        lines.row([name, _without_number(threat)], indent="  ", style=style)
        return
    cells = [
        pad(text, cells, right=k == 1) for k, (text, cells) in enumerate(zip(_rate_cells(threat), columns, strict=True))
    ]
    room = lines.width - cell_width("  ".join(["  " + name, *cells])) - 4
    below = room < 8
    if below:
        room += columns[0] + 2
    if room < 8:
        lines.row([name, bar(rate.value, rate.low, rate.high, 8), *cells], indent="  ", style=style)
        return
    drawn = bar(rate.value, rate.low, rate.high, min(30, room))
    lines.row([name, *([] if below else cells[:1]), drawn, *cells[1:]], indent="  ", style=style)
    if below:
        lines.say(words(rate.name), first="    ", style="dim")


def _without_number(threat: ThreatSummary) -> str:
    partly = ", partly tested" if threat.measured == "partly measured" else ""
    if threat.findings:
        counts = [(s.word, sum(f.severity == s for f in threat.findings)) for s in WORST_FIRST]
        told = ", ".join(f"{count} {word}" for word, count in counts if count)
        return f"{plural(len(threat.findings), 'finding')}: {told}{partly}"
    return "NOT TESTED" if threat.measured == "not tested" else f"ran, nothing found{partly}"


def _findings(report: Report, lines: Lines) -> None:
    found = counting(report)
    for severity in WORST_FIRST:
        group = [f for f in found if f.severity == severity]
        if not group:
            continue
        lines.gap()
        lines.say(f"{severity.word.upper()} ({len(group)})", style=severity.word)
        for finding in group:
            _finding(finding, lines)


def _finding(finding: Finding, lines: Lines) -> None:
    undecided = "could not be decided: " if finding.status == "inconclusive" else ""
    lines.say(f"{visible(finding.rule)}  {undecided}{_text(finding.title)}", first="  ", rest="    ", style="title")
    for place in finding.locations:
        address = f", {_text(place.address)}" if place.address else ""
        lines.say(f"{_text(place.uri)}{address}", first="    at ", rest="      ")
    if finding.detail:
        lines.say(_text(finding.detail), first="    ")
    rows = [[words(q.name), bounded(q), spread(q), f"n={q.n:,}"] for q in finding.quantities]
    columns = _columns(rows)
    for row in rows:
        cells = [pad(text, cells, right=k == 1) for k, (text, cells) in enumerate(zip(row, columns, strict=True))]
        lines.row(cells, indent="    ")
    for series in finding.series:
        if not series.name.endswith(_BINNED):
            _series(series, lines)
    for one in finding.tables:
        _table(one, lines)
    for remedy in finding.remedies:
        lines.say(f"remedy: {_text(remedy)}", first="    ", rest="      ")
    lines.say(f"next: redan explain {visible(finding.rule)}", first="    ", rest="      ", style="dim")


def _series(series: Series, lines: Lines) -> None:
    numeric = all(isinstance(x, float) for x in series.x)
    unit = f" ({visible(series.x_unit)})" if series.x_unit and numeric else ""
    points = [f"{_place(x)}: {figure(y, series.y_unit)}" for x, y in zip(series.x, series.y, strict=False)]
    more = [f"and {len(points) - MOST_POINTS:,} more"] if len(points) > MOST_POINTS else []
    told = "; ".join([*points[:MOST_POINTS], *more])
    lines.say(f"{words(series.name)}{unit}: {told}", first="    ", rest="      ")


def _table(found: Table, lines: Lines) -> None:
    """Print a table as columns where they fit; of what does not fit each row becomes a sentence."""
    width = len(found.columns)
    if not width:
        return
    head = [_text(name) for name in found.columns]
    body = [[_text(cell(value)) for value in filled(row, width)] for row in found.rows[:MOST_ROWS]]
    wide = [max(map(cell_width, column)) for column in zip(head, *body, strict=True)]
    numbers = [numeric(found, k) for k in range(width)]
    fits = sum(wide) + 2 * (width - 1) + _TABLE_INDENT <= lines.width
    lines.say(f"{words(found.name)}:", first="    ", rest="      ")
    shown = [head, *body] if fits else body[:MOST_SENTENCES]
    for row in shown:
        if fits:
            cells = [pad(text, cells, right=n) for text, cells, n in zip(row, wide, numbers, strict=True)]
            lines.row(cells, indent=" " * _TABLE_INDENT)
        else:
            pairs = [(n, t) for n, t in zip(head[1:], row[1:], strict=True) if found.draw != "heat" or t != "0"]
            told = "; ".join(f"{name} {text}" for name, text in pairs)
            lines.say(f"{row[0]}: {told}" if told else row[0], first=" " * _TABLE_INDENT, rest="        ")
    if more := len(found.rows) - len(shown) + fits:
        lines.say(f"and {more:,} more rows", first=" " * _TABLE_INDENT)


_TABLE_INDENT = 6
_BINNED = "_histogram"
"""Ending of series that only a picture tells well."""


def _place(x: float | str) -> str:
    return _text(x) if isinstance(x, str) else figure(x)


def _artifacts(artifacts: tuple[Artifact, ...], lines: Lines) -> None:
    if not artifacts:
        return
    lines.gap()
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in tally(artifacts).items())
    lines.say(f"Files: {told}", style="title")
    unsafe_first = ("unsafe", "unknown")
    shown = [a for a in artifacts if a.verdict != "safe"]
    shown.sort(key=lambda a: (_folder(a.path), unsafe_first.index(a.verdict), a.path))
    folder = ""
    for artifact in shown[:MOST_ARTIFACTS]:
        if _folder(artifact.path) != folder:
            folder = _folder(artifact.path)
            lines.say(_text(folder), first="  ", rest="    ")
        name = _text(artifact.path.removeprefix(folder))
        lines.say(f"{artifact.verdict.upper()} {name}", first="    ", rest="      ", style=_STYLE[artifact.verdict])
        for reason in artifact.reasons:
            lines.say(_text(reason), first="      ", rest="        ")
    if len(shown) > MOST_ARTIFACTS:
        lines.say(f"and {len(shown) - MOST_ARTIFACTS:,} more that are not safe: see the JSON report", first="  ")


def _also_read(report: Report, lines: Lines) -> None:
    told = also_read(report)
    if not told:
        return
    if not report.artifacts:
        lines.gap()
    lines.say(_text(f"Also read: {'; '.join(told)}"), rest="  ")


_STYLE = {"unsafe": "critical", "unknown": "medium"}


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _set_aside(report: Report, lines: Lines) -> None:
    aside = set_aside(report)
    if not aside:
        return
    lines.gap()
    lines.say(f"Set aside, not gating ({len(aside)})", style="title")
    for finding in aside:
        lines.say(f"{finding.severity.word} {visible(finding.rule)}  {_text(finding.title)}", first="  ", rest="    ")
        lines.say(f"{finding.status}: {_text(why_set_aside(finding))}", first="    ", rest="      ")


def _gaps(report: Report, lines: Lines) -> None:
    missing = gaps(report)
    if not missing:
        return
    lines.gap()
    lines.say(f"Not tested, or not to the end ({len(missing)}); not tested is not safe", style="title")
    for gap in missing[:MOST_GAPS]:
        lines.say(f"{gap.outcome}: {_text(gap.what)}: {_text(gap.why)}", first="  ", rest="    ")
    if len(missing) > MOST_GAPS:
        lines.say(f"and {len(missing) - MOST_GAPS:,} more: see the JSON report", first="  ")


def _run(report: Report, lines: Lines) -> None:
    run = report.run
    lines.gap()
    facts = (
        f"seed {run.seed}, {plural(run.threads, 'thread')}, {figure(run.wall_s, 's')} ({figure(run.cpu_s, 's')} CPU)"
    )
    lines.say(f"{_text(report.tool.name)} {_text(report.tool.version)}, {facts}", style="dim")
    if run.command:
        lines.say(f"again: {_text(run.command)}", rest="  ", style="dim")


_ORDER = ("new", "worse", "better", "fixed", "noise", "same")


def write_comparison(comparison: Comparison, *, width: int = 80, colour: bool = False) -> bytes:
    """Write what is new, fixed, worse, better or within noise as plain text.

    Args:
        comparison: two reports and their changes.
        width: most terminal cells a line may take; clamped to 20 … 200.
        colour: add ANSI colours; they repeat what words say.
    """
    lines = Lines(width=min(MAX_WIDTH, max(MIN_WIDTH, width)))
    before, after = comparison.before, comparison.after
    lines.say(
        f"{'WORSE' if comparison.worse else 'NOT WORSE'}: {_text(before.subject.name)} -> {_text(after.subject.name)}",
        rest="  ",
        style="fail" if comparison.worse else "pass",
    )
    lines.say(f"gate {before.gate.verdict} -> {after.gate.verdict}", first="  - ")
    for kind in _ORDER:
        changes = [c for c in comparison.changes if c.kind == kind]
        if not changes:
            continue
        lines.gap()
        lines.say(f"{_KINDS[kind]} ({len(changes)})", style="title")
        for change in changes:
            told = f"{visible(change.rule)}  {_text(change.title)} ({standing(change)})"
            lines.say(told, first="  ", rest="    ")
            lines.say(_text(change.detail), first="    ")
    _gaps(after, lines)
    return lines.render(colour=colour)


_KINDS = {
    "new": "NEW",
    "worse": "WORSE",
    "better": "BETTER",
    "fixed": "FIXED",
    "noise": "WITHIN NOISE",
    "same": "UNCHANGED",
}
