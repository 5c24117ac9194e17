"""`redan scan`: judge model files, and read what lies beside them, without loading anything."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import format_options, publish
from redan.core.errors import UsageError
from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.policy import Policy
    from redan.core.settings import Settings


@click.command("scan")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, metavar="PATH...")
@click.option("--gate", type=click.Choice([s.word for s in Severity]), help="Severity that fails.  [default: high]")
@click.option("--probe", "probes", multiple=True, help="Exactly this probe; may be repeated.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Parameter of a probe; may be repeated.")
@click.option("--osv", type=click.Path(), help="OSV dump to look for known vulnerabilities in; see redan bom fix.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Paths to leave out; they are listed.")
@click.option("--digest-all", is_flag=True, help="Digest files above 16 MiB too, so that the report can be sealed.")
@click.option("--deployment", metavar="URL", help="Test a running server instead; a path in URL is its prediction.")
@click.option("--canary", type=click.Path(path_type=Path), help="File of yours that --deployment looks for.")
@click.option("--credential-env", metavar="NAME", help="Variable with the Authorization header for --deployment.")
@click.option("--allow-remote", is_flag=True, help="Let --deployment test a server on another machine.")
@format_options
def command(
    paths: tuple[Path, ...],
    gate: str | None,
    probes: tuple[str, ...],
    params: tuple[str, ...],
    osv: str | None,
    exclude: tuple[str, ...],
    digest_all: bool,
    deployment: str | None,
    canary: Path | None,
    credential_env: str | None,
    allow_remote: bool,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Judge every file under each PATH by content: unsafe, unknown or safe. Nothing is loaded or executed.

    Gate, ignores and the table [scan] of the nearest redan.toml apply.

    \b
    redan scan model.pt
    redan scan models/ --format sarif -o scan.sarif
    redan scan . --osv all.zip
    redan scan --deployment http://127.0.0.1:8080/predict
    """
    config = _configured()
    settings = config.settings if config is not None else None
    policy = _policy(gate, settings)
    if bool(paths) == bool(deployment):
        raise UsageError("give either paths or --deployment", hint="redan scan MODEL, or redan scan --deployment URL")
    if deployment:
        from redan.runner.deployment import scan_deployment

        credential = _credential(credential_env)
        report = scan_deployment(
            deployment, credential=credential, canary=canary, allow_remote=allow_remote, policy=policy
        )
        return publish(report, form, output)
    from redan.runner.plan import SCANNING, Choice
    from redan.runner.scan import scan, scan_choice

    choice = Choice(threats=(SCANNING,), probes=probes, params={**_pairs(params), **({"osv": osv} if osv else {})})
    if config is not None:
        choice = scan_choice(config.settings, choice, config.root)
        exclude = (*config.settings.scan.exclude, *exclude)
    report = scan(*paths, choice=choice, exclude=exclude, digest_all=digest_all, policy=policy)
    return publish(report, form, output)


def _policy(gate: str | None, settings: Settings | None) -> Policy:
    from redan.core.policy import Policy

    today = datetime.now(UTC).date()
    if settings is None:
        return Policy(gate=Severity.of(gate) if gate else Severity.HIGH, today=today)
    return Policy(gate=Severity.of(gate) if gate else settings.gate.level, ignores=settings.ignore, today=today)


def _credential(name: str | None) -> str:
    if name is None:
        return ""
    value = os.environ.get(name, "")
    if not value or not value.isprintable():
        raise UsageError(f"the environment variable {name!r} holds no credential", hint="export it first")
    return value


def _configured() -> Config | None:
    """Read the nearest redan.toml; where there is none, its machinery is not even imported."""
    here = Path.cwd()
    if not any((folder / "redan.toml").is_file() for folder in (here, *here.parents)):
        return None
    from redan.core import config as configuration

    return configuration.load(file=configuration.find(here), root=here, environ=os.environ)


def _pairs(params: tuple[str, ...]) -> dict[str, Any]:
    if not params:
        return {}
    from redan.cli.settings import pair

    return dict(pair(text) for text in params)
