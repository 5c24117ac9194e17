"""`redan list`: the catalogue and the plugins."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from redan.cli.plugins import allowed, join_catalogue
from redan.core import catalogue

KINDS = ("all", "threats", "probes", "rules", "mitigations", "monitors", "writers", "plugins")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), default="all")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(kind: str, form: str) -> int:
    """List what there is: threats, probes, rules, mitigations, monitors, writers, plugins."""
    if kind == "plugins":
        return _plugins(form)
    join_catalogue()
    wanted = None if kind == "all" else kind.removesuffix("s")
    rows = [e for e in catalogue.entries() if wanted in (None, e.kind)]
    if form == "json":
        sys.stdout.write(json.dumps([asdict(e) for e in rows], indent=1) + "\n")
        return 0
    for entry in rows:
        note = "" if entry.default else "  (on request)"
        sys.stdout.write(f"{entry.kind:<10} {entry.id:<12} {entry.name:<18} {entry.title}{note}\n")
    if not rows:
        sys.stderr.write(f"there are no {kind} in this version\n")
    return 0


def _plugins(form: str) -> int:
    from redan.core import plugins

    found = plugins.installed(allowed())
    if form == "json":
        rows: list[dict[str, Any]] = [asdict(p) for p in found]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return 0
    for p in found:
        state = "allowed" if p.allowed else "not allowed: add it to [plugins] allow"
        sys.stdout.write(f"{p.distribution} {p.version}  {p.target}  {p.sha256[:12]}  {state}\n")
    if not found:
        sys.stderr.write("no plugins are installed\n")
    return 0
