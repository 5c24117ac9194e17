"""The package manager files under a path, and the files that these include."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.report import Unexamined
from redan.kernels.packages.kinds import kind_of
from redan.kernels.packages.limits import MOST_INCLUDED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.kernels.packages.model import Manifest


def read_manifests(files: Iterable[tuple[Path, str]]) -> tuple[tuple[Manifest, ...], tuple[Unexamined, ...]]:
    """Read every package manager file among some files, and what requirements files include from among them.

    An included file that is not among them is not read, and named as such.

    Args:
        files: paths with the names that reports show.

    Returns:
        The manifests in the order of the files, and the files that should have been read and were not.
    """
    from redan.kernels.packages.reading import read_manifest
    from redan.kernels.packages.toml import UnreadableError

    known = {shown: path for path, shown in files}
    waiting = deque((shown, kind) for shown in known if (kind := kind_of(shown)))
    met = {shown for shown, _ in waiting}
    n_first = len(met)
    found: list[Manifest] = []
    missed: list[Unexamined] = []
    while waiting:
        shown, kind = waiting.popleft()
        if not known[shown].is_file():
            missed.append(Unexamined(path=shown, why="no regular file"))
            continue
        try:
            manifest = read_manifest(known[shown], shown, kind)
        except (UnreadableError, OSError) as error:
            missed.append(Unexamined(path=shown, why=_why(error)))
            continue
        found.append(manifest)
        missed += [Unexamined(path=f"{shown}, line {p.line}", why=p.why) for p in manifest.problems]
        if not manifest.complete:
            missed.append(Unexamined(path=shown, why="more than is read of one file"))
        for include in manifest.includes:
            target = included(shown, include.path)
            if target not in known:
                missed.append(
                    Unexamined(path=f"{shown}, line {include.line}", why=f"includes {include.path!r}: not here")
                )
            elif target not in met and len(met) - n_first < MOST_INCLUDED:
                met.add(target)
                waiting.append((target, "constraints" if include.constraints else "requirements"))
    return tuple(found), tuple(missed)


def included(shown: str, path: str) -> str:
    """Return what a report calls an included file; the name of something outside leads to nothing."""
    parts = shown.split("/")[:-1]
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "" if path.startswith("/") or "://" in path else "/".join(parts)


def _why(error: Exception) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
