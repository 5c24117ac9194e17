"""`redan attack`: measure how weak a model is."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from redan.cli.output import emit, form_of, format_options, render
from redan.cli.settings import configure, measure_options


@click.command("attack")
@click.argument("target")
@measure_options
@format_options
def command(
    target: str,
    config: Path | None,
    form: str | None,
    output: Path | None,
    quiet: bool,  # click passes flags by name
    **flags: Any,
) -> int:
    """Measure how weak TARGET is: a model file or folder, MODULE.py:FACTORY, or the address of an endpoint.

    \b
    redan attack model.py:net --data digits --norm linf --eps 0.1
    redan attack http://127.0.0.1:8080/predict --data test.csv --budget "2000 queries"
    """
    settings = configure({"target": target, **flags}, file=config, need_file=False)
    from redan.cli.measuring import measured
    from redan.runner.attack import attack

    words = shlex.join(["redan", *sys.argv[1:]])
    report, written = measured(settings, words, lambda session: attack(settings, session), quick=False, quiet=quiet)
    emit(render(report, form_of(form, output)), output)
    if output is not None:
        sys.stderr.write(f"{report.gate.verdict}: {'; '.join(report.gate.reasons)}\n")
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    return report.gate.exit_code
