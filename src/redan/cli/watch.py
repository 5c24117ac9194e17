"""`redan watch`: monitors over recorded traffic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from redan.cli.output import format_options, publish

if TYPE_CHECKING:
    from redan.runner.watch_acts import Beside


@click.command("watch")
@click.argument("log", type=click.Path(path_type=Path))
@click.option(
    "--detector",
    "detectors",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Calibrated detector (.npz); may be repeated, all of one model.",
)
@click.option(
    "--watch",
    "what",
    type=click.Choice(["drift", "performance", "access"]),
    multiple=True,
    help="What the gateway watches beside detectors; may be repeated.",
)
@click.option("--config", type=click.Path(path_type=Path), help="A redan.toml other than the nearest.")
@format_options
def command(
    log: Path,
    detectors: tuple[Path, ...],
    what: tuple[Literal["drift", "performance", "access"], ...],
    config: Path | None,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Run monitors over LOG, as the gateway runs them over live traffic.

    LOG holds JSON lines of requests, or is the folder of a gateway's audit log, which is watched for abnormal access
    when nothing else is named. Its inputs are opened where the gateway of this project keeps them ([audit] keep =
    "inputs"). References of drift and accuracy come from detectors' files, or are learnt from the first rows.

    Exit code 0 if nothing was found, 1 for a finding at the gate (high), 3 if no request could be judged.

    \b
    redan watch requests.jsonl --detector sequence.npz
    redan watch requests.jsonl --watch drift --watch performance
    redan watch .redan/service/audit
    redan watch .redan/service/audit --detector sequence.npz
    """
    from redan.runner.watch import watch

    if not (detectors or what) and log.is_dir():
        what = ("access",)  # all that an audit log always tells
    beside = _beside(config, log) if log.is_dir() and (detectors or "drift" in what) else None
    return publish(watch(log, detectors, what=what, beside=beside), form, output)


def _beside(file: Path | None, log: Path) -> Beside | None:
    """Return what this project's gateway keeps beside its audit log, if it is its log."""
    from redan.core import config as configuration

    found = file or configuration.find(Path.cwd())
    if found is None:
        return None
    from redan.service.watching.kept import beside

    return beside(configuration.load(file=found, root=Path.cwd(), environ=os.environ), log)
