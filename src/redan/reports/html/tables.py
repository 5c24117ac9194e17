"""A table of a finding: plain, shaded by its numbers, or with its rows as points above it."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from redan.reports.figures import words
from redan.reports.html.markup import Html, el, table
from redan.reports.html.scatter import scatter
from redan.reports.tables import cell, filled, number, numeric

if TYPE_CHECKING:
    from redan.core.finding import Scalar, Table

LONG = 40
"""Characters from which a cell is a sentence."""
SHADES = 9
"""Steps of shading; the style sheet has a class for each."""


def tabulated(found: Table) -> Html:
    """Return the table with its cells as people read them; a row of another length than the head is cut or filled."""
    width = len(found.columns)
    if not width:
        return Html()
    name = words(found.name)
    kinds = "".join("n" if numeric(found, k) else " " for k in range(width))
    rows = [filled(row, width) for row in found.rows]
    if found.draw == "heat":
        most = max((abs(v) for row in rows for v in map(_finite, row[1:]) if v is not None), default=0.0)
        shaded = [(cell(row[0]), *(_shaded(value, most) for value in row[1:])) for row in rows]
        return el(
            "figure", el("figcaption", name), table(name, found.columns, shaded, numeric=kinds), class_="series heat"
        )
    whole = table(name, found.columns, [tuple(map(_told, row)) for row in rows], numeric=kinds)
    if found.draw == "scatter" and width >= 3:
        drawn = scatter(found, label=f"{name}: {found.columns[2]} against {found.columns[1]}, numbers in the table")
        note = el("p", "Stairs: nothing that was tried lies beyond them.", class_="small soft")
        figure = el("div", drawn, note) if drawn else None
        return el("figure", el("figcaption", name), el("div", figure, whole, class_="pair"), class_="series")
    return whole


def _told(value: Scalar) -> Html | str:
    """Give a sentence room to be read; the table scrolls in its box where the page is narrow."""
    shown = cell(value)
    return el("span", shown, class_="long") if len(shown) > LONG else shown


def _finite(value: Scalar) -> float | None:
    found = number(value)
    return found if found is not None and isfinite(found) else None


def _shaded(value: Scalar, most: float) -> Html | str:
    """Shade a number by its share of the largest one; a zero stays as light as the paper and as quiet."""
    found = _finite(value)
    if found is None:
        return cell(value)
    if found == 0 or most <= 0:
        return el("span", cell(value), class_="heat-0")
    step = max(1, round(SHADES * (abs(found) / most)))
    return el("span", cell(value), class_=f"heat-{step}")
