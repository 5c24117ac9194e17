"""Cells of a finding's tables as people read them; every writer that people read starts here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.figures import figure

if TYPE_CHECKING:
    from redan.core.finding import Scalar, Table


def cell(value: Scalar) -> str:
    """Write one cell: numbers as figures, truth as yes and no, nothing as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = number(value)
    if shown is not None:
        return figure(shown)
    return "–" if value is None else str(value)


def filled(row: tuple[Scalar, ...], width: int) -> tuple[Scalar, ...]:
    """Return the row with exactly ``width`` cells, cut or filled up."""
    return (*row, *(None,) * width)[:width]


def number(value: Scalar) -> float | None:
    """Return a cell's number, or None for what is no number or more than floating point holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def numeric(found: Table, column: int) -> bool:
    """Tell whether a column holds numbers; the first one names the rows."""
    return column > 0 and any(number(value) is not None for row in found.rows for value in row[column : column + 1])
