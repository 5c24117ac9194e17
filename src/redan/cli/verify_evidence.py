"""`redan verify-evidence`: the stored attacks of a run against its model, without attacking again."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import emit, width
from redan.cli.settings import configure, measure_options

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report
    from redan.runner.verify_evidence import Checked, Model

_KEPT = ("data", "label", "weights", "kind", "name", "bounds", "trust", "config", "threads")
_WORDS = {0: "HOLDS", 1: "BROKEN", 3: "UNDECIDED"}


@click.command("verify-evidence")
@click.argument("run", default="latest")
@click.option("--model", "target", help="The model that was attacked; the one that the run names when absent.")
@measure_options
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(run: str, target: str | None, config: Path | None, form: str, **flags: Any) -> int:
    """Check every blob of RUN, and hold each stored adversarial point against ball, box and model again.

    Exit code 0 if everything holds, 1 if something does not, 3 if model, data or evidence are not at hand.

    \b
    redan verify-evidence latest
    redan verify-evidence .redan/runs/RUN --model model.py:net --data test.npz
    """
    from redan.cli.runs import find_run
    from redan.core.errors import Unreadable
    from redan.evidence.blobs import FolderBlobs
    from redan.runner.verify_evidence import exit_code, verify_evidence
    from redan.workbench import open_report

    folder = find_run(run)
    if not folder.is_dir():
        raise Unreadable(f"{str(folder)!r} is no run folder", hint="give the folder with report.json and evidence/")
    report = open_report(folder)
    given = {"target": target, **{name: value for name, value in flags.items() if name in _KEPT}}
    settings = configure({**_named(report), **_set(given)}, file=config, need_file=False)
    found = verify_evidence(report, FolderBlobs(folder / "evidence"), lambda: _model(settings))
    code = exit_code(found)
    emit(_json(found, code) if form == "json" else _table(report, found, code), None)
    return code


command.params = [each for each in command.params if each.name in (*_KEPT, "run", "target", "form")]


def _named(report: Report) -> dict[str, Any]:
    """Return model and data as the run was asked to measure them."""
    asked = report.asked.get("measured", {})
    return {name: asked[name] for name in ("target", "weights", "data", "label") if asked.get(name)}


def _set(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value not in (None, ())}


def _model(settings: Config) -> Model:
    """Open model and all rows of the data.

    Raises:
        UsageError: neither the run nor a flag names them.
        SubjectError: they cannot be opened.
    """
    from redan.core.errors import UsageError
    from redan.runner.opening import inputs_of, subject_of
    from redan.runner.verify_evidence import Model

    values = settings.settings
    if not values.model.target or not values.data.test:
        raise UsageError("the run does not name them", hint="give --model and --data")
    whole = replace(settings, settings=replace(values, data=replace(values.data, limit=0, offset=0, train="")))
    inputs = inputs_of(whole)
    return Model(subject=subject_of(whole, inputs), data=inputs.role("test"))


def _table(report: Report, found: tuple[Checked, ...], code: int) -> bytes:
    from redan.reports.lines import Lines
    from redan.reports.visible import visible

    lines = Lines(width=width())
    lines.say(f"{_WORDS[code]}: {visible(report.subject.name)} ({report.subject.kind}), {report.run.started}")
    for one in found:
        lines.say(f"{visible(one.rule)}  {visible(one.title)}", first="  ", rest="    ")
        for number, told in enumerate(one.told):
            lines.say(visible(told), first=f"    {one.state}: " if not number else "      ", rest="      ")
    if not found:
        lines.say("  the run has no findings")
    return lines.render(colour=sys.stdout.isatty())


def _json(found: tuple[Checked, ...], code: int) -> bytes:
    from redan.core.codec import encode

    document = {"schema": "redan/verified/1", "exit_code": code, "findings": [encode(one) for one in found]}
    return json.dumps(document, indent=1).encode() + b"\n"
