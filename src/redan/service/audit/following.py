"""The process that keeps the index up to the log while a gateway runs: niced, beside the server, never in its way.

It gets its place as one JSON line on standard input, so that no password stands in a command line, and ends when that
input does: when the server stops it, and when the server dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import RedanError
from redan.service.audit.index import Indexer
from redan.service.audit.places import log_folder
from redan.service.database import open_database

if TYPE_CHECKING:
    from redan.core.settings import Settings

NICENESS = 19
"""The least share that is a share: on a machine without idle time the index falls behind, and the server does not."""
LOOK_EVERY_S = 5.0
STOP_S = 10.0


def open_indexer(settings: Settings, root: Path, replica: str) -> Following:
    """Make what follows this replica's log; start it after the auditor, which makes the log."""
    return Following(settings.serve.database, root, log_folder(settings, root, replica))


class Following:
    """The process, started again when it ends by itself.

    Args:
        url: of the service's database.
        root: folder that it is relative to.
        folder: of the log.
    """

    def __init__(self, url: str, root: Path, folder: Path) -> None:
        self._line = json.dumps({"url": url, "root": str(root.resolve()), "folder": str(folder.resolve())}) + "\n"
        self._process: subprocess.Popen[str] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._process = await asyncio.to_thread(self._begun)
        self._watching = asyncio.create_task(self._watch())

    def _begun(self) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "redan.service.audit.following"]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)  # noqa: S603  # our own module, no word from outside
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended at once, and has said why; it is started again
            process.stdin.write(self._line)
            process.stdin.flush()
        return process

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._process is not None and self._process.poll() is not None:
                sys.stderr.write("audit index: its process ended and is started again\n")
                await asyncio.to_thread(_ended, self._process)
                self._process = await asyncio.to_thread(self._begun)

    async def stop(self) -> None:
        """End after the batch at hand; what is missing is indexed after the next start."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._process is not None:
            await asyncio.to_thread(_ended, self._process)
            self._process = None


def _ended(process: subprocess.Popen[str]) -> None:
    """Close a process's input and wait for it; what does not end is killed: its transaction never was."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> int:
    """Follow the log that standard input names until it is closed."""
    os.nice(NICENESS)
    place = json.loads(sys.stdin.readline())
    try:
        database = open_database(place["url"], root=Path(place["root"]))
    except RedanError as err:
        sys.stderr.write(f"audit index: {err.diagnostics()}\n")
        return err.exit_code
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    try:
        Indexer(database, Path(place["folder"])).follow(ended)
    finally:
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
