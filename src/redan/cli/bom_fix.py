"""`redan bom fix`: the smallest set of upgrades that clears known vulnerabilities, as a constraints file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.cli.output import emit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.runner.upgrades import Proposal

PATH = click.Path(path_type=Path)


@click.command("fix")
@click.argument("path", type=PATH)
@click.option("--osv", type=PATH, required=True, help="OSV dump: PyPI's all.zip, a folder of JSON, or JSON lines.")
@click.option("--env", "environment", type=PATH, help="Virtual environment to read versions and needs from.")
@click.option("--wheels", type=PATH, help="Folder of wheels that upgrades must come from and fit together in.")
@click.option("-o", "--output", type=PATH, help="Write the constraints to a file.")
def command(path: Path, osv: Path, environment: Path | None, wheels: Path | None, output: Path | None) -> int:
    """Propose the smallest set of upgrades that clears the known vulnerabilities of the project at PATH.

    Writes a constraints file: pip install -r requirements.txt -c constraints.txt. Nothing is fetched. Bounds of the
    project are respected; lines that ask for an exact version are named, since they have to be changed. Exit code 1
    when something cannot be cleared; standard error says why.
    """
    from redan.runner.upgrades import propose

    proposal = propose(path, osv, environment=environment, wheels=wheels)
    emit(constraints(proposal).encode(), output)
    for line in _told(proposal):
        sys.stderr.write(f"{line.encode('ascii', 'backslashreplace').decode()}\n")
    return int(bool(proposal.remaining))


def constraints(proposal: Proposal) -> str:
    """Return the constraints file; each line says what it replaces and clears."""
    lines = [f"# upgrades that clear known vulnerabilities; OSV data up to {proposal.dump.newest[:10] or 'no date'}"]
    for each in proposal.upgrades:
        shown = ", ".join(each.cleared) or "fits the others"
        lines.append(f"{each.name}=={each.after}  # was {each.before}: {shown}")
    return "\n".join(lines) + "\n"


def _told(proposal: Proposal) -> Iterator[str]:
    for each in proposal.upgrades:
        if each.pinned_at:
            yield f"{each.name}: write {each.after} in {', '.join(each.pinned_at)}: an exact version is asked for there"
    for left in proposal.remaining:
        yield f"{left.name} {left.version} keeps {', '.join(left.ids)}: {left.why}"
    yield from proposal.remarks
    if not proposal.proven:
        yield "not proven to be the smallest set: the search was cut short"
    n = len(proposal.upgrades)
    yield (
        f"known vulnerabilities: {proposal.n_before} before, {proposal.n_after} after {n} upgrade{'s' * (n != 1)}; "
        f"{proposal.dump.n_records} records, newest {proposal.dump.newest[:10] or 'without a date'}, "
        f"file of {proposal.dump.file_date}"
    )
