"""`redan calibrate`: make a detector ready for one model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from redan.cli.settings import configure, measure_options


@click.command("calibrate")
@click.argument("monitor")
@click.argument("target", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: MONITOR.npz]")
@click.option("--rate", type=float, default=0.01, show_default=True, help="False-alarm rate that is kept.")
@click.option("--budget-us", type=float, help="Most microseconds of CPU a request.")
@click.option("--json", "as_json", is_flag=True, help="Write what the file says as JSON.")
@measure_options
def command(
    monitor: str,
    target: str | None,
    output: Path | None,
    rate: float,
    budget_us: float | None,
    as_json: bool,  # click passes flags by name
    config: Path | None,
    **flags: Any,
) -> int:
    """Fit MONITOR for TARGET on training rows, calibrate it on rows of normal use (--data), and keep it as a file.

    The file is plain numbers; `redan watch` and the gateway open it in front of this model and no other. Without
    TARGET it is the model of redan.toml.

    \b
    redan calibrate query-sequence
    redan calibrate query-sequence model.py:net --data digits --rate 0.02 -o sequence.npz
    redan list monitors
    """
    settings = configure({"target": target, **flags}, file=config, need_file=target is None)
    from redan.runner.calibrate import calibrate

    place = output or Path(f"{monitor}.npz")
    made = calibrate(settings, monitor, place, rate=rate, budget_us=budget_us)
    if as_json:
        sys.stdout.write(json.dumps({"file": str(made.path), **made.words}, sort_keys=True) + "\n")
        return 0
    sys.stderr.write(f"wrote {made.path}: {made.monitor.name} ({made.monitor.id}) for {made.subject}\n")
    calibration = made.words.get("calibration")
    if isinstance(calibration, dict):
        sys.stderr.write(
            f"calibrated on {calibration['n']:,} rows: {calibration['alarms']} alarms, at most {rate:.2%} at 97.5 %\n"
        )
    if price := made.words.get("price_us"):
        sys.stderr.write(f"price: {price} microseconds of CPU a request on this machine\n")
    sys.stderr.write(
        f"next: detectors = [{str(made.path)!r}] under [[serve.models]], "
        f"or redan watch requests.jsonl --detector {made.path}\n"
    )
    return 0


# neither attacks nor gates belong here
command.params = [
    each
    for each in command.params
    if each.name not in ("threats", "probes", "norm", "eps", "params", "budget", "gate", "baseline")
]
