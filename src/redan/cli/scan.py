"""`redan scan`: judge model files without loading them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from redan.cli.output import format_options, publish
from redan.core.finding import Severity


@click.command("scan")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--gate",
    type=click.Choice([s.word for s in Severity]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)
@click.option("--probe", "probes", multiple=True, help="Exactly this probe; may be repeated.")
@click.option("--digest-all", is_flag=True, help="Digest files above 16 MiB too, so that the report can be sealed.")
@format_options
def command(
    paths: tuple[Path, ...],
    gate: str,
    probes: tuple[str, ...],
    digest_all: bool,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Judge every file under each PATH by content: unsafe, unknown or safe. Nothing is loaded or executed.

    \b
    redan scan model.pt
    redan scan models/ --format sarif -o scan.sarif
    """
    from redan.core.policy import Policy
    from redan.runner.scan import scan

    policy = Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())
    return publish(scan(*paths, probes=probes, digest_all=digest_all, policy=policy), form, output)
