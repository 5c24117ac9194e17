"""Judge files without loading them: the one job that must start fast, so it imports nothing that others need."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.runner.plan import SCANNING, Choice, plan
from redan.runner.run import Session, run
from redan.subjects.files import open_files

if TYPE_CHECKING:
    from redan.core.report import Report


def scan(path: str | Path, *, observe: Observer = SILENT, policy: Policy | None = None) -> Report:
    """Judge every file under a path by content, without loading anything.

    Args:
        path: a file or folder.
        observe: told about progress.
        policy: what decides; gate ``high`` by default.

    Raises:
        Unreadable: the path does not exist or may not be read.
    """
    files = open_files(Path(path))
    steps = plan([files], Inputs(), Choice(threats=(SCANNING,)))
    session = Session(
        policy=policy or Policy(today=datetime.now(UTC).date()), observe=observe, command=f"redan scan {path}"
    )
    return run(steps, Inputs(), files.ref, session, asked={"path": str(path)})
