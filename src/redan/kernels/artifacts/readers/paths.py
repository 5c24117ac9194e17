"""Member names that would leave the folder they are unpacked into."""

from __future__ import annotations

import re

_DRIVE = re.compile(r"[A-Za-z]:")


def escapes(name: str) -> bool:
    """Whether a path, with either kind of slash, is absolute or climbs above its start."""
    path = name.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path):
        return True
    level = 0
    for part in path.split("/"):
        if part == "..":
            level -= 1
        elif part not in ("", "."):
            level += 1
        if level < 0:
            return True
    return False


def link_escapes(name: str, target: str) -> bool:
    """Whether a link at `name` points outside the folder."""
    folder = name.replace("\\", "/").rpartition("/")[0]
    return escapes(target) if target.startswith(("/", "\\")) else escapes(f"{folder}/{target}" if folder else target)
