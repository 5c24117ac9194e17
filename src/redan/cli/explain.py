"""`redan explain`: the page of a rule, probe, threat or mitigation, offline."""

from __future__ import annotations

import sys

import click

from redan.cli.plugins import join_catalogue
from redan.core import catalogue
from redan.core.errors import UnknownName


@click.command("explain")
@click.argument("rule")
def command(rule: str) -> int:
    """Explain RULE, by identifier (RDN-EVA-001) or name (cascade): what, why, how to fix, sources."""
    join_catalogue()
    entries = catalogue.entries()
    wanted = rule.casefold()
    for entry in entries:
        if entry.kind != "writer" and wanted in (entry.id.casefold(), entry.name.casefold()):
            sys.stdout.write(page(entry))
            return 0
    raise UnknownName.among("rule or probe", rule, [n for e in entries if e.kind != "writer" for n in (e.id, e.name)])


def page(entry: catalogue.Entry) -> str:
    """Return the page as plain text: title, facts, docstring, references."""
    facts = [("kind", entry.kind), ("name", entry.name), ("threat", entry.threat)]
    facts += [("needs", ", ".join(entry.needs)), ("data", ", ".join(entry.data)), ("cost", entry.cost)]
    facts += [("parameters", ", ".join(f"{k}={v!r}" for k, v in entry.params.items()))]
    facts += [("source", entry.source), ("references", ", ".join(entry.references))]
    if entry.origin != "redan":
        facts.append(("plugin", entry.origin))
    lines = [f"{entry.id}  {entry.title}", "", *(f"  {k:<11} {v}" for k, v in facts if v), "", entry.doc]
    return "\n".join(lines) + "\n"
