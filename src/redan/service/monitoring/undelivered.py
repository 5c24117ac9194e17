"""Alerts that are not delivered yet, one small file each, so that a process that is killed sends them when it is back.

One thread writes and removes them in the order in which they came: sending waits for no disk. What was delivered just
before the end, and is not removed yet, is sent once more under the same `Notice.id`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from redan.core.errors import Unreadable
from redan.evidence.log.disk import Disk
from redan.evidence.log.reading import read_bounded
from redan.service.audit.places import log_folder
from redan.service.monitoring.notice import Notice

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.settings import Settings

MOST_FILES = 4096
MOST_PENDING = 4096
"""Writes that wait for a disk that hangs; alerts beyond are sent all the same, and only a crash would lose them."""
_LARGEST_BYTES = 64 << 10
_ENDING = ".alert"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds.

    Attributes:
        channel: name of the one that it waits for.
        shared: whether every replica has the same to say, so that one of them does.
        notice: what is to be said.
    """

    channel: str
    shared: bool
    notice: Notice


class Undelivered:
    """The files of one replica.

    Args:
        folder: theirs alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._disk = folder, Disk()
        self._thread = ThreadPoolExecutor(1, "alerts-kept")
        self._guard = threading.Lock()
        self._pending = 0
        self._told = ""

    def put(self, kept: Kept) -> None:
        """Keep an alert; returns at once."""
        self._later(lambda: self._write(kept))

    def remove(self, kept: Kept) -> None:
        """Let go of an alert that was delivered or given up; returns at once."""
        self._later(lambda: self._path(kept).unlink(missing_ok=True))

    def all(self) -> list[Kept]:
        """Return what is kept, oldest first, at most `MOST_FILES`; blocks. What cannot be read is removed and told."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.name.endswith(_ENDING))
        except OSError:
            return []
        found = []
        for path in paths[:MOST_FILES]:
            try:
                found.append(msgspec.json.decode(read_bounded(path, _LARGEST_BYTES), type=Kept))
            except (Unreadable, msgspec.DecodeError):
                self._tell(f"{path.name} holds no alert and is removed")
                with suppress(OSError):
                    path.unlink()
        return found

    def settle(self) -> None:
        """Return when what was asked is on disk; blocks."""
        self._thread.submit(lambda: None).result()

    def end(self) -> None:
        """Take nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _later(self, step: Callable[[], None]) -> None:
        with self._guard:
            if self._pending >= MOST_PENDING:
                return
            self._pending += 1
        self._thread.submit(self._do, step)

    def _do(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as err:
            self._tell(f"alerts are not kept over a crash now: {err.strerror}")
        finally:
            with self._guard:
                self._pending -= 1

    def _write(self, kept: Kept) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in self._folder.iterdir()) >= MOST_FILES:
            self._tell(f"{MOST_FILES} wait already; those that come now are not kept over a crash")
            return
        self._disk.publish({self._path(kept): msgspec.json.encode(kept)})

    def _path(self, kept: Kept) -> Path:
        name = sha256(f"{kept.channel} {kept.notice.id}".encode()).hexdigest()[:16]
        return self._folder / f"{int(kept.notice.at_s * 1e6):020d}-{name}{_ENDING}"

    def _tell(self, words: str) -> None:
        if words != self._told:
            self._told = words
            sys.stderr.write(f"alerts: {words}\n")


def open_undelivered(settings: Settings, root: Path, replica: str) -> Undelivered:
    """Return the files of a replica, below the gateway's folder.

    Raises:
        UsageError: the name gives no folder of its own.
    """
    return Undelivered(root / settings.serve.folder / "alerts" / log_folder(settings, root, replica).name)
