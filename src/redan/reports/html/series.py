"""One figure for each series: a curve for numbers, bars for labels, a waterfall for stages; always with its table."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from redan.reports.figures import figure, interval, words
from redan.reports.html.charts import line_chart, points, rate_bar, span_bar
from redan.reports.html.markup import Html, el, join, table
from redan.reports.visible import shortened

if TYPE_CHECKING:
    from redan.core.finding import Finding, Series
    from redan.reports.html.charts import Point

TWIN = "clean_"
"""A series of this prefix is the reference of the series without it: the same labels before the attack."""


MOST_LABEL = 60


def figures(finding: Finding) -> list[Html]:
    """Return one figure for each series, tables of labels before curves; a twin is drawn into its owner's figure."""
    names = {s.name: s for s in finding.series}
    shown = [s for s in finding.series if not _twin_of(s, names)]
    return [_figure(s, finding, names.get(TWIN + s.name)) for s in sorted(shown, key=_numeric)]


def _numeric(series: Series) -> bool:
    return not any(isinstance(x, str) for x in series.x)


def _twin_of(series: Series, names: dict[str, Series]) -> bool:
    owner = names.get(series.name.removeprefix(TWIN)) if series.name.startswith(TWIN) else None
    return owner is not None and owner.x == series.x and not _numeric(series)


def _figure(series: Series, finding: Finding, twin: Series | None) -> Html:
    numeric = _numeric(series)
    if numeric:
        shown = _curve(series, finding)
    else:
        shown = _waterfall(series, finding) if series.name == "waterfall" else _bars(series, twin)
    return el("figure", el("figcaption", words(series.name)), shown, class_="series wide" if numeric else "series")


def _curve(series: Series, finding: Finding) -> Html:
    parameter = series.name.rpartition("_by_")[2]
    mark = finding.params.get(parameter)
    at = float(mark) if isinstance(mark, (int, float)) and not isinstance(mark, bool) else None
    found = points(series)
    chart = line_chart(series, label=f"{words(series.name)}: {_told(found, series)}", mark=at)
    dashed = f" Dashed: {words(parameter)} = {figure(at)}." if at is not None else ""
    note = el("p", f"Band: 95 % interval.{dashed}", class_="small soft")
    rows = [(figure(float(p.x)) if not isinstance(p.x, str) else p.x, *_numbers(p, series)) for p in found]
    numbers = table(words(series.name), (series.x_unit or "x", "value", "95 % interval", "n"), rows, numeric="nnnn")
    return el("div", el("div", chart, note) if chart else None, numbers, class_="pair")


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
