"""`redan plan`: which threats apply, why, and which probes will run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from redan.cli.settings import configure, measure_options


@click.command("plan")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@measure_options
def command(form: str, config: Path | None, **flags: Any) -> int:
    """Threat model of this project: assets, exposures, threats that apply and why, probes that will run.

    Nothing is loaded: files are looked at by content, the rest comes from redan.toml.
    """
    settings = configure(flags, file=config, need_file=True)
    from redan.runner.threat_model import render, threat_model

    model = threat_model(settings)
    if form == "json":
        sys.stdout.write(json.dumps(asdict(model), indent=1) + "\n")
    else:
        sys.stdout.write(render(model))
    return 0
