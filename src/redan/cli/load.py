"""`redan load`: what loading a file really does, in the sandbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import format_options, publish

if TYPE_CHECKING:
    from redan.core.report import Report

_SHOWN = 12


@click.command("load")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="MODEL...")
@format_options
def command(paths: tuple[Path, ...], form: str | None, output: Path | None, quiet: bool) -> int:
    """Scan MODEL, load it once in the sandbox, and compare: names that the scan missed, acts that were refused.

    Ends with 0 when it is safe and did what the scan said, 1 when not, 3 when it could not be loaded.

    \b
    redan load model.pkl
    redan load model.pt --format json
    """
    from redan.runner.load import rehearse

    report = rehearse(*paths)
    if form is None and output is None:
        for line in _lines(report):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return publish(report, form, output)


def _lines(report: Report) -> Iterator[str]:
    """What was loaded, for a person: type, arrays, names."""
    from redan.reports.visible import visible

    for finding in report.findings:
        blob = finding.blob("loaded")
        if blob is None or report.blobs is None:
            continue
        record = json.loads(report.blobs.get(blob.sha256))
        yield visible(f"{finding.locations[0].uri}  {record['type']}")
        rows = [f"{_shape(part)}  {part['name']}" for part in record["parts"]]
        for title, names in (("arrays", rows), ("resolved", record["resolved"]), ("not needed", record["unused"])):
            yield from (visible(line) for line in _listed(title, names))
        yield ""


def _shape(part: dict[str, Any]) -> str:
    sides = "×".join(map(str, part["shape"])) or "scalar"
    return f"{part['dtype'].removeprefix('torch.')} {sides}"


def _listed(title: str, names: list[str]) -> Iterator[str]:
    for number, name in enumerate(names[:_SHOWN]):
        yield f"  {title if number == 0 else '':<11}{name}"
    if len(names) > _SHOWN:
        yield f"  {'':<11}and {len(names) - _SHOWN} more"
