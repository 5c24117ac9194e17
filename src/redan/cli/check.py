"""`redan check`: scan, attack and gate what redan.toml names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from redan.cli.output import emit, form_of, format_options, render
from redan.cli.settings import configure, measure_options, show


@click.command("check")
@click.option("--quick", is_flag=True, help="A useful answer in a minute: fewer rows, a cheaper plan.")
@click.option("--show-config", is_flag=True, help="Print every setting with its origin and stop.")
@measure_options
@format_options
def command(
    quick: bool,  # click passes flags by name
    show_config: bool,
    config: Path | None,
    form: str | None,
    output: Path | None,
    quiet: bool,
    **flags: Any,
) -> int:
    """Scan and attack what redan.toml names, write the reports, and gate on the result.

    \b
    redan check --quick
    redan check --baseline last.json --format sarif -o redan.sarif
    """
    settings = configure(flags, file=config, need_file=not show_config)
    if show_config:
        show(settings)
        return 0
    from redan.cli.measuring import measured
    from redan.runner.check import check

    words = "redan check --quick" if quick else "redan check"
    report, written = measured(
        settings, words, lambda session: check(settings, quick=quick, session=session), quick=quick, quiet=quiet
    )
    emit(render(report, form_of(form, output)), output)
    if output is not None:
        sys.stderr.write(f"{report.gate.verdict}: {'; '.join(report.gate.reasons)}\n")
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    return report.gate.exit_code
