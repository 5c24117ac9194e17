"""What lies below a folder, by name: files, links and specials, each with the facts that change when it does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from redan.core.errors import Unreadable

Kind = Literal["file", "link", "special"]


class Facts(NamedTuple):
    """What the file system says about one file; the kernel sets the last without asking anybody."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that is no folder.

    Attributes:
        name: path below the root with ``/`` between its parts; the file's own name when the root is a file.
        path: where it lies.
        kind: a regular file, a symbolic link, or a socket, pipe or device.
        facts: of the thing itself, of the target where links are followed.
    """

    name: str
    path: str
    kind: Kind
    facts: Facts


def facts_of(found: os.stat_result) -> Facts:
    """Pick the facts that change with a file's content."""
    return Facts(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def entries(root: Path, *, ignored: frozenset[str] = frozenset(), follow: bool = False) -> tuple[Entry, ...]:
    """List everything below a folder that is no folder, or the one file, in the order of names by code point.

    Folders behind links are never entered, so a circle of links ends nothing.

    Args:
        root: a folder or a file.
        ignored: names left out, with everything below them.
        follow: count a link to a regular file as that file.

    Raises:
        Unreadable: nothing is there, a folder cannot be listed, or a name is not UTF-8.
    """
    try:
        found = os.lstat(root)
    except OSError as err:
        raise Unreadable(f"cannot read {str(root)!r}: {err.strerror}") from err
    if stat.S_ISDIR(found.st_mode):
        listed = list(_below(str(root), ignored, follow))
    else:
        listed = [_entry(root.name, str(root), follow)]
    return tuple(sorted(listed, key=lambda entry: entry.name))


def _below(root: str, ignored: frozenset[str], follow: bool) -> Iterator[Entry]:
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as scanned:
                found = list(scanned)
        except OSError as err:
            raise Unreadable(f"cannot list {folder!r}: {err.strerror}") from err
        for each in found:
            name = prefix + each.name
            if name in ignored:
                continue
            if each.is_dir(follow_symlinks=False):
                waiting.append((name + "/", each.path))
            else:
                yield _entry(name, each.path, follow)


def _entry(name: str, path: str, follow: bool) -> Entry:
    try:
        name.encode()
        found = os.lstat(path)
    except UnicodeEncodeError as err:
        raise Unreadable(f"the name {name!r} is not UTF-8, so no manifest can hold it", hint="rename the file") from err
    except OSError as err:
        raise Unreadable(f"cannot read {path!r}: {err.strerror}") from err
    if follow and stat.S_ISLNK(found.st_mode):
        with suppress(OSError):  # what leads nowhere, or in a circle, stays a link
            target = os.stat(path)  # noqa: PTH116 - once a file, and a Path costs more than the call
            found = target if stat.S_ISREG(target.st_mode) else found
    return Entry(name=name, path=path, kind=_kind(found.st_mode), facts=facts_of(found))


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "link" if stat.S_ISLNK(mode) else "special"
