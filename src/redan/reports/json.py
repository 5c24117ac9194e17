"""The result document itself, ``redan/1``: everything, exactly, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.catalogue import writer

if TYPE_CHECKING:
    from redan.core.compare import Comparison
    from redan.core.report import Report


@writer(name="json", suffix=".json", media_type="application/json")
def write(report: Report) -> bytes:
    """JSON: the whole report as one ``redan/1`` document that reads back to the same report."""
    return report.to_json()


def write_comparison(comparison: Comparison) -> bytes:
    """Write both reports and the changes between them as one JSON document."""
    return comparison.to_json()
