"""`redan data synthetic`: does a synthetic table give away the people that it was made from?"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from redan.cli.output import format_options, publish

PATH = click.Path(path_type=Path)
PROBES = ("singling-out", "linkability", "synthetic-inference")


@click.command("synthetic")
@click.argument("original", type=PATH)
@click.argument("synthetic", type=PATH)
@click.option("--control", type=PATH, help="Rows of the same population that the synthetic data were not made from.")
@click.option("--known", default="", metavar="A,B", help="Columns of one half of a record.  [default: every other one]")
@click.option(
    "--gate",
    type=click.Choice(["info", "low", "medium", "high", "critical"]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)
@format_options
def command(
    original: Path,
    synthetic: Path,
    control: Path | None,
    known: str,
    gate: str,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Attack SYNTHETIC as if to learn about the rows of ORIGINAL: singling out, linking, inferring columns.

    Without --control nothing is decided: what holds for anybody of that population cannot be told from a leak.
    Keep some rows out when the synthetic data are made, and give those.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from redan.core.finding import Severity
    from redan.core.policy import Policy
    from redan.runner.plan import Choice
    from redan.runner.scan import scan

    params = {"original": str(original), "control": str(control or ""), "known": known}
    choice = Choice(threats=("privacy",), probes=PROBES, params=params)
    policy = Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())
    report = scan(synthetic, choice=choice, digest_all=True, policy=policy)
    words = ["redan", "data", "synthetic", str(original), str(synthetic)]
    words += ["--control", str(control)] if control else []
    words += ["--known", known] if known else []
    words += ["--gate", gate]
    return publish(replace(report, run=replace(report.run, command=shlex.join(words))), form, output)
