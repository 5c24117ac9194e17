"""Files that others read while they are written: there as a whole, or as they were."""

from __future__ import annotations

import os
from pathlib import Path


def replace_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Put data in the place of a file; a link that stands there, or that somebody puts beside it, is never followed.

    Args:
        path: the file.
        data: its new content.
        mode: permissions before the process's mask.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    fresh = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - of a handle, not of a path
            file.write(data)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
