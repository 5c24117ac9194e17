"""`redan report`: a run again, or in another format."""

from __future__ import annotations

from pathlib import Path

import click

from redan.cli.output import emit, form_of, format_options, render


@click.command("report")
@click.argument("run", default="latest")
@format_options
def command(run: str, form: str | None, output: Path | None, quiet: bool) -> int:  # click passes flags by name
    """Show RUN (a run's folder, a JSON report, or `latest`) as a table or in another format.

    \b
    redan report latest --format html -o report.html
    """
    from redan.cli.runs import find_run
    from redan.workbench import open_report

    emit(render(open_report(find_run(run)), form_of(form, output)), output)
    return 0
