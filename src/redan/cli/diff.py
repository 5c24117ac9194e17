"""`redan diff`: two runs against each other."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from redan.cli.output import emit, form_of, format_options
from redan.core import catalogue
from redan.core.errors import UsageError


@click.command("diff")
@click.argument("before")
@click.argument("after", default="latest")
@format_options
def command(
    before: str, after: str, form: str | None, output: Path | None, quiet: bool
) -> int:  # click passes flags by name
    """Compare BEFORE with AFTER: new, fixed, worse, better, or within noise. Exit code 1 if anything is worse.

    \b
    redan diff baseline.json latest
    """
    from redan.cli.runs import find_run
    from redan.core.compare import compare
    from redan.workbench import open_report

    found = compare(open_report(find_run(before)), open_report(find_run(after)))
    chosen = form_of(form, output)
    writer = catalogue.load(catalogue.entry("writer", chosen))
    write = getattr(import_module(writer.__module__), "write_comparison", None)
    if write is None:
        raise UsageError(f"{chosen} has no form for a comparison", hint="use table, json, html or markdown")
    emit(write(found), output)
    return int(found.worse)
