"""`redan watch`: monitors over recorded traffic."""

from __future__ import annotations

from pathlib import Path

import click

from redan.cli.output import format_options, publish


@click.command("watch")
@click.argument("log", type=click.Path(path_type=Path))
@click.option(
    "--detector",
    "detectors",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Calibrated detector (.npz); may be repeated, all of one model.",
)
@format_options
def command(
    log: Path, detectors: tuple[Path, ...], form: str | None, output: Path | None, quiet: bool
) -> int:  # click passes flags by name
    """Run detectors over LOG, JSON lines of requests, as the gateway runs them over live traffic.

    Exit code 0 if nothing was found, 1 for a finding at the gate (high), 3 if no request could be judged.

    \b
    redan watch requests.jsonl --detector sequence.npz
    redan watch requests.jsonl --detector sequence.npz --detector distance.npz --format json
    """
    from redan.runner.watch import watch

    return publish(watch(log, detectors), form, output)
