"""A table of a finding: numbers to the right, words to the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.figures import figure, words
from redan.reports.html.markup import Html, table

if TYPE_CHECKING:
    from redan.core.finding import Scalar, Table


def tabulated(found: Table) -> Html:
    """Return the table with its cells as people read them; a row of another length than the head is cut or filled."""
    width = len(found.columns)
    if not width:
        return Html()
    kinds = "".join("n" if _numeric(found, k) else " " for k in range(width))
    rows = [tuple(_cell(value) for value in (*row, *(None,) * width)[:width]) for row in found.rows]
    return table(words(found.name), found.columns, rows, numeric=kinds)


def _numeric(found: Table, column: int) -> bool:
    return column > 0 and any(
        isinstance(cell, (int, float)) and not isinstance(cell, bool)
        for row in found.rows
        for cell in row[column : column + 1]
    )


def _cell(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return figure(float(value))
    return "–" if value is None else str(value)
