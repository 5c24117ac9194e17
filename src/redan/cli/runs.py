"""Run folders: every finding on disk as it is found, evidence by digest, the report at the end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from redan.core import catalogue
from redan.core.errors import Unreadable, UsageError

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.report import Report

LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where one run keeps what it finds."""

    path: Path

    @property
    def journal(self) -> Path:
        """Findings, one JSON line each, in the order in which they were found."""
        return self.path / "findings.jsonl"

    @property
    def evidence(self) -> Path:
        """Blobs by digest."""
        return self.path / "evidence"

    def finish(self, report: Report, formats: tuple[str, ...]) -> list[Path]:
        """Write the report in each format, and remember this run as the latest."""
        written = []
        for form in dict.fromkeys(("json", *formats)):
            entry = catalogue.entry("writer", form)
            target = self.path / f"report{entry.suffix}"
            target.write_bytes(catalogue.load(entry)(report))
            written.append(target)
        (self.path.parent / LATEST).write_text(self.path.name + "\n", encoding="utf-8")
        return written


def new_run(folder: Path) -> RunFolder:
    """Create a folder for a run, named by time and process.

    Raises:
        UsageError: the folder cannot be made.
    """
    runs = folder / "runs"
    path = runs / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as err:
        raise UsageError(
            f"cannot keep the run in {str(folder)!r}: {err.strerror}", hint="set [run] folder or REDAN_RUN_FOLDER"
        ) from err
    return RunFolder(path=path)


def find_run(words: str) -> Path:
    """Find a run by folder, report file, or ``latest``.

    Raises:
        Unreadable: there is no such run.
    """
    if words != LATEST:
        return Path(words)
    runs = Path(".redan") / "runs"
    pointer = runs / LATEST
    if not pointer.is_file():
        raise Unreadable("there is no latest run here", hint="redan check, or name a report file")
    return runs / pointer.read_text(encoding="utf-8").strip()


@contextmanager
def interruptible(budget: Budget) -> Iterator[None]:
    """Let the first Ctrl-C end the run with what it has, and the second one end it at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        if budget.interrupted:
            raise KeyboardInterrupt
        budget.interrupted = True
        sys.stderr.write("interrupted: finishing the report with what was measured (Ctrl-C again to stop now)\n")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
