"""`redan explain-model`: say what a model's answers rest on, and whether that can be believed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from redan.cli.output import emit, form_of, format_options, render
from redan.cli.settings import configure, measure_options


@click.command("explain-model")
@click.argument("target")
@click.option("--method", help="Explanations to use, commas between.  [default: all that fit]")
@click.option("--rows", type=click.IntRange(min=2), help="Most rows to explain.")
@measure_options
@format_options
def command(
    target: str,
    method: str | None,
    rows: int | None,
    config: Path | None,
    form: str | None,
    output: Path | None,
    quiet: bool,  # click passes flags by name
    **flags: Any,
) -> int:
    """Explain the answers of TARGET, fit a readable model beside it, and look for leaks and shortcuts.

    Each explanation is judged against taking values away at random; one that says no more than chance is a finding.

    \b
    redan explain-model model.py:net --data digits -o why.html
    redan explain-model model.joblib --data test.csv --train train.csv --method tree-shap
    """
    told = [f"{name}={value}" for name, value in (("method", method), ("rows", rows)) if value]
    flags = {**flags, "params": (*flags["params"], *told)}
    settings = configure({"target": target, **flags}, file=config, need_file=False)
    from redan.cli.measuring import measured
    from redan.runner.explain_model import explain_model

    words = shlex.join(["redan", *sys.argv[1:]])
    report, written = measured(
        settings, words, lambda session: explain_model(settings, session), quick=False, quiet=quiet
    )
    emit(render(report, form_of(form, output)), output)
    if output is not None:
        sys.stderr.write(f"{report.gate.verdict}: {'; '.join(report.gate.reasons)}\n")
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    return report.gate.exit_code


# which threats are measured follows from the verb; norm and radius belong to attacks
command.params = [each for each in command.params if each.name not in ("threats", "norm", "eps")]
