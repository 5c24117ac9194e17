"""Where results go: data to stdout or a file, words about it to stderr; machine formats are written as bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.core import catalogue
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.core.report import Report

Function = TypeVar("Function", bound=Callable[..., Any])
FORMATS = ("table", "json", "html", "sarif", "markdown", "junit")
NARROWEST, WIDEST = 40, 200


def format_options(function: Function) -> Function:
    """Add --format, -o and --quiet."""
    function = click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")(function)
    function = click.option(
        "-o", "--output", type=click.Path(path_type=Path), help="Write to a file; its ending chooses the format."
    )(function)
    return click.option(
        "-f", "--format", "form", type=click.Choice(FORMATS), help="Format of the output.  [default: table]"
    )(function)


def width() -> int:
    """Return how many columns a table may use."""
    given = os.environ.get("COLUMNS", "")
    try:
        columns = int(given) if given.isdigit() else os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    return max(NARROWEST, min(WIDEST, columns or 80))


def colour() -> bool:
    """Tell whether stdout may have colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def render(report: Report, form: str) -> bytes:
    """Turn a report into bytes in one of the formats."""
    if form == "table":
        from redan.reports.table import write as write_table

        return write_table(report, width=width(), colour=colour())
    data: bytes = catalogue.load(catalogue.entry("writer", form))(report)
    return data


def form_of(form: str | None, output: Path | None) -> str:
    """Choose the format from the flag, else from the file's ending, else a table.

    Raises:
        UsageError: the ending names no format.
    """
    if form is not None:
        return form
    if output is None:
        return "table"
    for entry in catalogue.entries("writer"):
        if output.name.endswith(entry.suffix):
            return entry.name
    known = ", ".join(e.suffix for e in catalogue.entries("writer"))
    raise UsageError(f"the ending of {output.name!r} names no format", hint=f"use one of {known}, or give --format")


def emit(data: bytes, output: Path | None) -> None:
    """Write bytes to a file or to stdout.

    Raises:
        UsageError: the file cannot be written.
    """
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except OSError as err:
        raise UsageError(f"cannot write {str(output)!r}: {err.strerror}") from err
    sys.stderr.write(f"wrote {output}\n")


def publish(report: Report, form: str | None, output: Path | None) -> int:
    """Write a report where it was asked for and return its exit code."""
    emit(render(report, form_of(form, output)), output)
    if output is not None:
        sys.stderr.write(f"{report.gate.verdict}: {'; '.join(report.gate.reasons)}\n")
    return report.gate.exit_code
