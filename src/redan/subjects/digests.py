"""Digests of what was measured."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable
from redan.core.subject import Component

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 1 << 20


def of_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the length in bytes of a file, read in blocks.

    Raises:
        Unreadable: the file cannot be read.
    """
    digest = sha256()
    size = 0
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except OSError as err:
        raise Unreadable(f"cannot read {uri(path)!r}: {err.strerror}") from err
    return digest.hexdigest(), size


def component(role: str, path: Path) -> Component:
    """Describe one file as a part of a subject.

    Raises:
        Unreadable: the file cannot be read.
    """
    digest, size = of_file(path)
    return Component(role=role, uri=uri(path), sha256=digest, size_bytes=size)


def uri(path: Path) -> str:
    """Return the path as reports name it: relative to the working folder where it lies below, else the last two parts.

    A report travels; the layout of the machine it was made on does not belong into it.
    """
    absolute = Path(path).absolute()
    try:
        return absolute.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return "/".join(absolute.parts[-2:]).lstrip("/")


def regular_files(root: Path) -> Iterator[Path]:
    """Yield the files below a folder in the order of their paths; links are not followed.

    Raises:
        Unreadable: a folder cannot be listed.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as err:
        raise Unreadable(f"cannot list {uri(root)!r}: {err.strerror}") from err
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield from regular_files(entry)
        elif entry.is_file():
            yield entry
