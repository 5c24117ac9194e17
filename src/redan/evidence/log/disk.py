"""What the log does to a disk, call by call, so that a test can record the calls and lose what was not yet synced."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

OPEN_AT_ONCE = 128
_SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
SYNC_THREADS = 8
"""Syncs that run side by side share one commit of the file system's journal."""


class Disk:
    """The file system. Every method raises OSError when the system does."""

    def create(self, path: Path) -> int:
        """Make a new file that is only appended to."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def reopen(self, path: Path) -> int:
        """Open an existing file that is only appended to."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def append(self, handle: int, data: bytes) -> None:
        """Write all of the data at the end."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]

    def sync(self, handle: int) -> None:
        """Return when the content and the length of the file would survive a loss of power."""
        _SYNC(handle)

    def truncate(self, handle: int, size_bytes: int) -> None:
        """Cut the file."""
        os.ftruncate(handle, size_bytes)

    def close(self, handle: int) -> None:
        """Give the handle back."""
        os.close(handle)

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another at once; both in the same folder."""
        old.replace(new)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder whose parent exists."""
        path.mkdir(exist_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def sync_folder(self, path: Path) -> None:
        """Return when the names in the folder would survive a loss of power."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def publish(self, files: Mapping[Path, bytes]) -> None:
        """Write files so that each appears whole or not at all; on return, all would survive a loss of power."""
        rest = iter(files.items())
        while batch := dict(islice(rest, OPEN_AT_ONCE)):
            changed = self._make_folders({p.parent for p in batch})
            self._write_aside(batch)
            for path in batch:
                self.rename(_aside(path), path)
            for folder in sorted(changed | {p.parent for p in batch}):
                self.sync_folder(folder)

    def _make_folders(self, folders: Iterable[Path]) -> set[Path]:
        """Make what is missing, parents first, and return the folders that got a new name in them."""
        changed = set()
        for folder in folders:
            missing = [folder, *folder.parents]
            missing = missing[: next(i for i, p in enumerate(missing) if p.is_dir())]
            for path in reversed(missing):
                self.make_folder(path)
                changed.add(path.parent)
        return changed

    def _write_aside(self, files: Mapping[Path, bytes]) -> None:
        handles = []
        try:
            for path, data in files.items():
                aside = _aside(path)
                if aside.exists():
                    self.remove(aside)
                handles.append(self.create(aside))
                self.append(handles[-1], data)
            if len(handles) <= SYNC_THREADS:
                for handle in handles:
                    self.sync(handle)
            else:
                with ThreadPoolExecutor(SYNC_THREADS, "redan-log-sync") as pool:
                    list(pool.map(self.sync, handles))
        finally:
            for handle in handles:
                self.close(handle)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")
