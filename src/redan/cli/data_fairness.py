"""`redan data fairness`: recorded predictions of numbers, by group."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from redan.cli.output import format_options, publish


@click.command("fairness")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--prediction", required=True, metavar="COLUMN", help="Numbers that the model answered.")
@click.option("--truth", default="", metavar="COLUMN", help="What was right, where somebody knows.")
@click.option("--sensitive", required=True, multiple=True, metavar="COLUMN", help="Column of groups; may be repeated.")
@click.option("--least", type=click.IntRange(min=2), default=30, show_default=True, help="Rows that a group must have.")
@click.option(
    "--gate",
    type=click.Choice(["info", "low", "medium", "high", "critical"]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)
@format_options
def command(
    table: Path,
    prediction: str,
    truth: str,
    sensitive: tuple[str, ...],
    least: int,
    gate: str,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Compare recorded predictions in TABLE between groups of people: a regression, or the ranking it makes.

    No model is needed. Of decisions (yes or no) use `redan attack MODEL --threat bias`.

    \b
    redan data fairness wages.csv --prediction offered --truth fair --sensitive sex --sensitive region
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from redan.core.finding import Severity
    from redan.core.policy import Policy
    from redan.runner.plan import Choice
    from redan.runner.scan import scan

    params = {"prediction": prediction, "truth": truth, "sensitive": ",".join(sensitive), "least": least}
    choice = Choice(threats=("bias",), probes=("recorded-numbers",), params=params)
    policy = Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())
    report = scan(table, choice=choice, digest_all=True, policy=policy)
    words = ["redan", "data", "fairness", str(table), "--prediction", prediction]
    words += ["--truth", truth] if truth else []
    words += [word for column in sensitive for word in ("--sensitive", column)]
    words += ["--least", str(least), "--gate", gate]
    return publish(replace(report, run=replace(report.run, command=shlex.join(words))), form, output)
