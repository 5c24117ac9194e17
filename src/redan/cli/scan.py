"""`redan scan`: judge model files, and read what lies beside them, without loading anything."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import format_options, publish
from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.settings import Settings


@click.command("scan")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PATH...")
@click.option("--gate", type=click.Choice([s.word for s in Severity]), help="Severity that fails.  [default: high]")
@click.option("--probe", "probes", multiple=True, help="Exactly this probe; may be repeated.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of a probe; may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Paths to leave out; they are listed.")
@click.option("--digest-all", is_flag=True, help="Digest files above 16 MiB too, so that the report can be sealed.")
@format_options
def command(
    paths: tuple[Path, ...],
    gate: str | None,
    probes: tuple[str, ...],
    params: tuple[str, ...],
    exclude: tuple[str, ...],
    digest_all: bool,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Judge every file under each PATH by content: unsafe, unknown or safe. Nothing is loaded or executed.

    Gate, ignores and the table [scan] of the nearest redan.toml apply.

    \b
    redan scan model.pt
    redan scan models/ --format sarif -o scan.sarif
    """
    from redan.core.policy import Policy
    from redan.runner.plan import SCANNING, Choice
    from redan.runner.scan import scan, scan_choice

    settings = _settings()
    choice = Choice(threats=(SCANNING,), probes=probes, params=_pairs(params))
    policy = Policy(gate=Severity.of(gate) if gate else Severity.HIGH, today=datetime.now(UTC).date())
    if settings is not None:
        choice, exclude = scan_choice(settings, choice), (*settings.scan.exclude, *exclude)
        level = policy.gate if gate else settings.gate.level
        policy = Policy(gate=level, ignores=settings.ignore, today=policy.today)
    report = scan(*paths, choice=choice, exclude=exclude, digest_all=digest_all, policy=policy)
    return publish(report, form, output)


def _settings() -> Settings | None:
    """Read the nearest redan.toml; where there is none, its machinery is not even imported."""
    here = Path.cwd()
    if not any((folder / "redan.toml").is_file() for folder in (here, *here.parents)):
        return None
    from redan.core import config as configuration

    return configuration.load(file=configuration.find(here), root=here, environ=os.environ).settings


def _pairs(params: tuple[str, ...]) -> dict[str, Any]:
    if not params:
        return {}
    from redan.cli.settings import pair

    return dict(pair(text) for text in params)
