"""`redan bom`: bills of materials, made, compared and validated."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.cli import bom_fix, bom_vex
from redan.cli.output import emit, width
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.runner.bom_diff import BomChange

PATH = click.Path(path_type=Path)


@click.group("bom")
def command() -> None:
    """Bills of materials: what a model is built from, with the numbers measured on it.

    \b
    redan bom make . --env .venv -o bom.cdx.json
    redan bom validate bom.cdx.json
    redan bom diff old.cdx.json bom.cdx.json
    redan bom fix . --osv all.zip -o constraints.txt
    redan bom vex latest --author security@example.org -o vex.json
    """


@command.command("make")
@click.argument("path", type=PATH)
@click.option("--report", "reports", multiple=True, metavar="RUN", help="Run whose numbers go in; may be repeated.")
@click.option("--env", "environment", type=PATH, help="Virtual environment to read versions and licences from.")
@click.option("--osv", type=PATH, help="OSV dump whose known vulnerabilities go in.")
@click.option("--vex", type=PATH, help="OpenVEX or CycloneDX statements about them, for --osv.")
@click.option("--config", type=PATH, help="A redan.toml other than the nearest to PATH.")
@click.option("--as", "form", type=click.Choice(["cyclonedx", "spdx"]), default="cyclonedx", show_default=True)
@click.option("-o", "--output", type=PATH, help="Write to a file.")
def make(
    path: Path,
    reports: tuple[str, ...],
    environment: Path | None,
    osv: Path | None,
    vex: Path | None,
    config: Path | None,
    form: str,
    output: Path | None,
) -> int:
    """Make a bill of materials of the project at PATH: CycloneDX 1.7 or SPDX 2.3, as JSON.

    Models, data sets, packages and files with digests; model cards from headers, configurations, README and `[card]`
    in redan.toml; numbers from reports. Nothing is loaded, run or fetched. The same input and SOURCE_DATE_EPOCH give
    the same bytes. Exit code 3 when something that should have been read was not; the bill says what.
    """
    from redan.cli.runs import find_run
    from redan.runner.bom import make as make_bom
    from redan.workbench import open_report

    read = _configured(path, config)
    bom = make_bom(
        path,
        reports=[open_report(find_run(run)) for run in reports],
        environment=environment,
        card=read.settings.card,
        name=read.settings.project.name,
        root=read.root,
    )
    if osv is not None:
        from redan.runner.known import with_known

        bom = with_known(bom, osv, vex)
    elif vex is not None:
        raise UsageError("--vex says what known vulnerabilities mean, and there are none without --osv")
    if form == "spdx":
        from redan.reports.spdx import write
    else:
        from redan.reports.cyclonedx import write
    emit(write(bom), output)
    for note in bom.notes:
        sys.stderr.write(f"{note.encode('ascii', 'backslashreplace').decode()}\n")
    return 0 if bom.complete else 3


def _configured(path: Path, config: Path | None) -> Config:
    from redan.core import config as configuration

    start = path.resolve() if path.is_dir() else path.resolve().parent
    return configuration.load(file=config or configuration.find(start), root=start, environ=os.environ)


@command.command("validate")
@click.argument("file", type=PATH)
def validate(file: Path) -> int:
    """Check FILE against the schema of its own version: CycloneDX 1.2 to 1.7, or the rules of SPDX 2.3.

    Exit code 0 if it fits, 1 if not.
    """
    from redan.runner.bom_documents import faults, read

    document = read(file)
    found = faults(document)
    for fault in found:
        sys.stdout.write(f"{fault}\n")
    sys.stderr.write(f"{file.name}: {'does not fit' if found else 'fits'} {document.standard}\n")
    return int(bool(found))


@command.command("diff")
@click.argument("before", type=PATH)
@click.argument("after", type=PATH)
@click.option(
    "-f", "--format", "form", type=click.Choice(["table", "markdown", "json"]), default="table", show_default=True
)
@click.option("-o", "--output", type=PATH, help="Write to a file.")
def diff(before: Path, after: Path, form: str, output: Path | None) -> int:
    """Compare two CycloneDX bills: added, removed, upgraded, downgraded, licences, digests, measured numbers.

    Exit code 1 if something got worse: a downgrade, another licence, another digest at the same version, a model with
    worse numbers beyond their intervals, or a vulnerability that can be exploited and was not there before.
    """
    from redan.runner.bom_diff import compare
    from redan.runner.bom_documents import read

    changes = compare(read(before), read(after))
    if form == "json":
        from dataclasses import asdict

        text = json.dumps({"schema": "redan/bom-diff/1", "changes": [asdict(c) for c in changes]}, indent=1)
    elif form == "markdown":
        rows = [f"| {c.kind} | {_cell(c.what)} | {_cell(c.detail)} |" for c in changes]
        text = "\n".join(["| Change | Component | Detail |", "|---|---|---|", *rows])
    else:
        text = "\n".join(_lines(change) for change in changes)
    emit((text + "\n").encode() if changes or form != "table" else b"no changes\n", output)
    return int(any(c.worse for c in changes))


def _lines(change: BomChange) -> str:
    """Return a change as one line, or as several where it is longer than the terminal is wide."""
    from textwrap import fill

    mark = "!" if change.worse else " "
    one = f"{mark} {change.kind:<13} {_plain(change.what)}  {_plain(change.detail)}"
    return fill(one, width(), subsequent_indent=" " * 16, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    from redan.reports.visible import visible

    return visible(text)


def _cell(text: str) -> str:
    return _plain(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


command.add_command(bom_fix.command)
command.add_command(bom_vex.command)
