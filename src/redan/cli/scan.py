"""`redan scan`: judge model files without loading them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from redan.cli.output import format_options, publish
from redan.core.finding import Severity


@click.command("scan")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--gate",
    type=click.Choice([s.word for s in Severity]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)
@format_options
def command(
    path: Path, gate: str, form: str | None, output: Path | None, quiet: bool
) -> int:  # click passes flags by name
    """Judge every file under PATH by content: unsafe, unknown or safe. Nothing is loaded or executed.

    \b
    redan scan model.pt
    redan scan models/ --format sarif -o scan.sarif
    """
    from redan.core.policy import Policy
    from redan.runner.scan import scan

    return publish(scan(path, policy=Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())), form, output)
