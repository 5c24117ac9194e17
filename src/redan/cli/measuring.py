"""What check and attack share: a run folder, progress, Ctrl-C, and the reports at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from redan.cli.progress import observer
from redan.cli.runs import interruptible, new_run
from redan.evidence.blobs import FolderBlobs
from redan.runner.check import session_of
from redan.runner.run import FileJournal, Session

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report


def measured(
    config: Config, command: str, work: Callable[[Session], Report], *, quick: bool, quiet: bool
) -> tuple[Report, list[Path]]:
    """Run something with a session around it.

    Args:
        config: the settings in force.
        command: what to type to repeat the run.
        work: gets the session and returns the report.
        quick: whether the quick budget applies.
        quiet: show no progress.

    Returns:
        The report, and the files that were written.
    """
    folder = new_run(config.path(config.settings.run.folder))
    session = replace(
        session_of(config, quick=quick, command=command),
        blobs=FolderBlobs(folder.evidence),
        journal=FileJournal(folder.journal),
    )
    with observer(quiet=quiet) as observe, interruptible(session.budget):
        report = work(replace(session, observe=observe))
    return report, folder.finish(report, config.settings.run.formats)
