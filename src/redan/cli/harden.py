"""`redan harden`: a better model, with its gain and its price."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import emit, form_of, format_options, render
from redan.cli.settings import configure, measure_options

if TYPE_CHECKING:
    from redan.core.report import Report
    from redan.runner.run import Session


@click.command("harden")
@click.argument("target")
@click.option("--against", default="evasion", show_default=True, help="Threat to reduce.")
@click.option("--mitigation", "mitigations", multiple=True, help="Exactly this mitigation; may be repeated.")
@click.option("--clean-loss", type=float, help="Most clean accuracy to give up, a fraction.  [default: 0.1]")
@click.option("--save", type=click.Path(path_type=Path), help="Write the weights: .safetensors or .pt.")
@measure_options
@format_options
def command(
    target: str,
    against: str,
    mitigations: tuple[str, ...],
    clean_loss: float | None,
    save: Path | None,
    config: Path | None,
    form: str | None,
    output: Path | None,
    quiet: bool,  # click passes flags by name
    **flags: Any,
) -> int:
    """Try mitigations on TARGET within a budget, take one by a stated rule, and measure it before and after.

    Candidates are compared on rows held out; the rows measured at the end are used once. Exit code 0 if the threat's
    number is better at 95 %, else 1; 3 if the budget was too small to try anything.

    \b
    redan harden model.py:net --data digits --eps 0.1 --budget 20m
    redan harden model.py:net --weights net.pt --data test.npz --train train.npz --save better.pt
    """
    settings = configure({"target": target, **flags}, file=config, need_file=False)
    from redan.cli.measuring import measured
    from redan.runner.harden import CLEAN_LOSS, Wanted
    from redan.runner.harden_config import harden_configured

    wanted = Wanted(
        against=against, mitigations=mitigations, clean_loss=CLEAN_LOSS if clean_loss is None else clean_loss
    )
    told: list[str] = []

    def work(session: Session) -> Report:
        report, advice = harden_configured(settings, wanted, session, save=save, target=target)
        told.append(advice)
        return report

    report, written = measured(settings, shlex.join(["redan", *sys.argv[1:]]), work, quick=False, quiet=quiet)
    chosen = form_of(form, output)
    emit(render(_short(report) if chosen == "table" else report, chosen), output)
    if output is not None:
        sys.stderr.write(f"{report.gate.verdict}: {'; '.join(report.gate.reasons)}\n")
    for path in (*written, *([save] if save else [])):
        sys.stderr.write(f"wrote {path}\n")
    if save:
        sys.stderr.write(f"next: {told[0]}\n")
    return report.gate.exit_code


def _short(report: Report) -> Report:
    """Leave before and after to a person at a terminal; the reports that are written hold the rest."""
    from redan.runner.harden_candidates import CRAFTS

    rules = {each.rule for each in CRAFTS.values()}
    return replace(report, findings=tuple(replace(f, series=()) for f in report.findings if f.rule in rules))


# what is measured is the threat that is hardened against
command.params = [each for each in command.params if each.name not in ("threats", "probes")]
