"""`redan bom vex`: statements about the known vulnerabilities of a scan, to judge and to give back to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from redan.cli.output import emit


@click.command("vex")
@click.argument("run", default="latest")
@click.option("--author", required=True, help="Who makes the statements: a person or a team, with an address.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file.")
def command(run: str, author: str, output: Path | None) -> int:
    """Write what RUN (a JSON report, a run's folder, or `latest`) says about known vulnerabilities as OpenVEX.

    What nobody has judged is under_investigation: write not_affected with a justification, or fixed, where that is
    so, and name the file in `[scan] vex`. A statement counts for 180 days and is shown with each finding that it sets
    aside.
    """
    from redan.cli.runs import find_run
    from redan.reports.openvex import RULE, write
    from redan.runner.bom import timestamp
    from redan.workbench import open_report

    report = open_report(find_run(run))
    emit(write(report, author=author, timestamp=timestamp(os.environ)), output)
    n_statements = sum(finding.rule == RULE for finding in report.findings)
    sys.stderr.write(f"{n_statements} statement{'s' * (n_statements != 1)}\n")
    return 0
