"""Progress on stderr: bars on a terminal, a plain line every ten seconds elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redan.core.progress import SILENT, Observer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY_S = 10.0


class Plain:
    """A line when something starts or ends, and one every ten seconds between."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def started(self, what: str, total: int | None = None) -> None:
        """Say what begins."""
        self._say(f"{what}: started" + (f", {total} steps" if total else ""))

    def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far it is, at most every ten seconds."""
        if time.monotonic() - self._last >= EVERY_S:
            self._say(f"{what}: {done}" + (f" of {total}" if total else "") + (f", {note}" if note else ""))

    def finished(self, what: str, note: str = "") -> None:
        """Say that it is over."""
        self._say(f"{what}: done" + (f", {note}" if note else ""))

    def note(self, text: str) -> None:
        """Pass a line on."""
        self._say(text)

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        sys.stderr.write(text + "\n")


class Bars:
    """One bar a probe, drawn by rich on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def started(self, what: str, total: int | None = None) -> None:
        """Add a bar."""
        self._tasks[what] = self._progress.add_task(_plain(what), total=total)

    def advanced(self, what: str, done: int, total: int | None = None, note: str = "") -> None:
        """Move a bar."""
        if what in self._tasks:
            text = _plain(f"{what} · {note}" if note else what)
            self._progress.update(self._tasks[what], completed=done, total=total, description=text)

    def finished(self, what: str, note: str = "") -> None:
        """Take a bar away and leave a line."""
        task = self._tasks.pop(what, None)
        if task is not None:
            self._progress.remove_task(task)
        self.note(f"{what}: done" + (f", {note}" if note else ""))

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(_plain(text), style="dim", highlight=False)


def _plain(text: str) -> str:
    """Keep file names from being read as markup or as terminal escapes."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in text))


@contextmanager
def observer(*, quiet: bool) -> Iterator[Observer]:
    """Choose how progress is shown: silent, bars on a terminal, or plain lines."""
    if quiet:
        yield SILENT
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield Bars(progress)
    else:
        yield Plain()
