"""One figure for each series: a curve or histogram for numbers, bars for labels, a waterfall; always with its table."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from redan.reports.figures import figure, interval, words
from redan.reports.html.charts import points, rate_bar, span_bar
from redan.reports.html.lines import Beside, histogram, line_chart
from redan.reports.html.markup import Html, el, join, table
from redan.reports.visible import shortened

if TYPE_CHECKING:
    from redan.core.finding import Finding, Series
    from redan.reports.html.charts import Point

TWIN = "clean_"
"""A series of this prefix is the reference of the series without it: the same labels before the attack."""
BEFORE = "before_"
"""A numeric series of this prefix is drawn into the figure of the series without it."""
CERTIFIED = "certified_by_eps"
ATTACKED = "accuracy_by_eps"
"""What an attack leaves; drawn above what is certified where another finding of the same norm says so."""
HISTOGRAM = "_histogram"
"""Ending of series whose x are the lower edges of equal bins."""
MOST_LABEL = 60


def figures(finding: Finding, others: tuple[Finding, ...] = ()) -> list[Html]:
    """Return one figure for each series, tables of labels before curves; a twin is drawn into its owner's figure.

    Args:
        finding: whose series are drawn.
        others: further findings of the report, of which one may certify what this one attacks.
    """
    names = {s.name: s for s in finding.series}
    shown = [s for s in finding.series if not _twin_of(s, names) and not _before_of(s, names)]
    return [_figure(s, finding, names, others) for s in sorted(shown, key=_numeric)]


def _numeric(series: Series) -> bool:
    return not any(isinstance(x, str) for x in series.x)


def _twin_of(series: Series, names: dict[str, Series]) -> bool:
    owner = names.get(series.name.removeprefix(TWIN)) if series.name.startswith(TWIN) else None
    return owner is not None and owner.x == series.x and not _numeric(series)


def _before_of(series: Series, names: dict[str, Series]) -> bool:
    owner = names.get(series.name.removeprefix(BEFORE)) if series.name.startswith(BEFORE) else None
    return owner is not None and _numeric(owner) and _numeric(series)


def _beside(series: Series, finding: Finding, names: dict[str, Series], others: tuple[Finding, ...]) -> Beside | None:
    """Return what belongs into the chart of a series: what it was before, or what is certified."""
    before = names.get(BEFORE + series.name)
    if before is not None and _numeric(before):
        return Beside(series=before, role="before")
    if series.name != ATTACKED:
        return None
    for other in (finding, *others):
        certified = other.curve(CERTIFIED)
        alike = other.params.get("norm") == finding.params.get("norm") and other.subject == finding.subject
        if certified is not None and alike and _numeric(certified):
            return Beside(series=certified, role="certified")
    return None


def _figure(series: Series, finding: Finding, names: dict[str, Series], others: tuple[Finding, ...]) -> Html:
    numeric = _numeric(series)
    if numeric:
        binned = series.name.endswith(HISTOGRAM)
        shown = _binned(series, finding) if binned else _curve(series, finding, _beside(series, finding, names, others))
    else:
        twin = names.get(TWIN + series.name)
        shown = _waterfall(series, finding) if series.name == "waterfall" else _bars(series, twin)
    return el("figure", el("figcaption", words(series.name)), shown, class_="series wide" if numeric else "series")


def _marked(finding: Finding, parameter: str) -> float | None:
    mark = finding.params.get(parameter)
    return float(mark) if isinstance(mark, (int, float)) and not isinstance(mark, bool) else None


def _curve(series: Series, finding: Finding, beside: Beside | None) -> Html:
    parameter = series.name.rpartition("_by_")[2]
    at = _marked(finding, parameter)
    found = points(series)
    chart = line_chart(series, label=f"{words(series.name)}: {_told(found, series)}", mark=at, beside=beside)
    dashed = f" Dashed: {words(parameter)} = {figure(at)}." if at is not None else ""
    second_line = _beside_note(beside, series)
    note = el("p", f"Band: 95 % interval.{second_line}{dashed}", class_="small soft")
    other = {p.x: p.y for p in points(beside.series)} if beside else {}
    rows = []
    for p in found:
        row = (figure(float(p.x)) if not isinstance(p.x, str) else p.x, *_numbers(p, series))
        second = figure(other[p.x], series.y_unit) if p.x in other else "–"
        rows.append((*row, second) if beside else row)
    columns = (series.x_unit or "x", "value", "95 % interval", "n", *([beside.role] if beside else []))
    numbers = table(words(series.name), columns, rows, numeric="nnnnn")
    return el("div", el("div", chart, note) if chart else None, numbers, class_="pair")


def _beside_note(beside: Beside | None, series: Series) -> str:
    """Say what the second curve is, and on how many inputs it rests where these are not those of the first."""
    if beside is None:
        return ""
    if beside.role == "before":
        return " Dotted line: before."
    n = set(beside.series.n)
    if n and n != set(series.n):
        return f" Lower line: certified, on {min(n):,} inputs only; up to chance the truth lies between the two."
    return " Lower line: certified, no attack can go below it. Between the two lies the truth."


def _binned(series: Series, finding: Finding) -> Html:
    """Draw a histogram; its numbers unfold, since the bars say most of it."""
    found = points(series)
    at = _marked(finding, "eps")
    n = found[0].n if found else None
    counted = sum(p.y for p in found if isfinite(p.y))
    told = f"{figure(counted)} of {n:,} {series.y_unit}" if n else f"{figure(counted)} {series.y_unit}"
    chart = histogram(series, label=f"{words(series.name)}: {told} in {len(found)} bins", mark=at)
    dashed = f" Dashed: eps = {figure(at)}." if at is not None else ""
    note = el(
        "p", f"In the bins: {told}; the others lie farther, or were never made to fall.{dashed}", class_="small soft"
    )
    rows = [(figure(float(p.x)) if not isinstance(p.x, str) else p.x, figure(p.y)) for p in found]
    numbers = table(words(series.name), (f"from {series.x_unit or 'x'}", series.y_unit or "count"), rows, numeric="nn")
    return el("div", chart, note, el("details", el("summary", "Numbers"), numbers), class_="drawn")


def _told(found: list[Point], series: Series) -> str:
    return "; ".join(f"{figure(p.y, series.y_unit)} at {p.x}" for p in [*found[:1], *found[1:][-1:]])


def _numbers(point: Point, series: Series) -> tuple[str, str, str]:
    known = point.low is not None and point.high is not None
    spread = interval(point.low, point.high, series.y_unit) if known else "–"  # type: ignore[arg-type]  # known says both are there
    return figure(point.y, series.y_unit), spread, "–" if point.n is None else f"{point.n:,}"


def _bars(series: Series, twin: Series | None) -> Html:
    found = points(series)
    most = 1.0 if series.y_unit == "fraction" else max((p.y for p in found if isfinite(p.y)), default=1.0)
    reference = dict(zip(twin.x, twin.y, strict=False)) if twin and twin.x == series.x else {}
    columns = (series.x_unit or "label", "", "value", "95 % interval", "n")
    rows: list[tuple[str, ...]] = []
    for p in found:
        row = (_label(p.x), rate_bar(p.y, p.low, p.high, most=most, twin=reference.get(p.x)), *_numbers(p, series))
        rows.append((*row, figure(reference[p.x], series.y_unit) if p.x in reference else "–") if reference else row)
    if not reference:
        return table(words(series.name), columns, rows, numeric="  nnn")
    name = words(TWIN + series.name)
    note = el("p", f"Notch: {name}. Thin band: 95 % interval.", class_="small soft")
    return join([table(words(series.name), (*columns, name), rows, numeric="  nnnn"), note])


def _label(x: float | str) -> str:
    return shortened(str(x), MOST_LABEL)


def _waterfall(series: Series, finding: Finding) -> Html:
    """Show how many fell at each stage and how many still stand behind it."""
    total = _total(finding, series)
    left, rows = total, []
    for p in points(series):
        fallen = p.y if isfinite(p.y) else 0.0
        rows.append((_label(p.x), span_bar(left - fallen, left, total, "loss"), figure(p.y), figure(left - fallen)))
        left -= fallen
    rows.append(("still standing", span_bar(0, left, total, "fill"), "", figure(left)))
    note = el("p", f"Of {figure(total, series.y_unit)} before the first stage.", class_="small soft")
    columns = (series.x_unit or "stage", "", "fell here", "left")
    return join([table(words(series.name), columns, rows, numeric="  nn"), note])


def _total(finding: Finding, series: Series) -> float:
    """Return how many there were before the first stage: those that fell and those that robust accuracy counts."""
    fallen = sum(y for y in series.y if isfinite(y))
    robust = finding.quantity("robust_accuracy")
    standing = robust.value * robust.n if robust is not None and isfinite(robust.value) else 0.0
    return round(standing) + fallen
