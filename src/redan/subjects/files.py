"""A file or folder whose bytes are read and never loaded. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable
from redan.core.subject import Binding, Component, SubjectRef
from redan.subjects.digests import component, uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redan.core.subject import Capability

SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", "__pycache__", "node_modules", ".venv", ".redan", ".tox", ".mypy_cache", ".ruff_cache"}
)
"""Folders of tools; nobody ships them with a model."""


class FilesSubject:
    """What `redan scan` looks at.

    The files are listed once and digested when the reference or a digest is first asked for.

    Args:
        root: the file or folder.
        name: what reports call it; its own name when empty.
        prefix: what stands before each path in reports, so that those of several subjects stay apart.
        exclude: globs over the paths in reports; what they match is left out and listed.
        most_digested_bytes: a larger file is not digested, so the report is not bound to its content; None for no
            limit.
    """

    def __init__(
        self,
        root: Path,
        *,
        name: str = "",
        prefix: str = "",
        exclude: Sequence[str] = (),
        most_digested_bytes: int | None = None,
    ) -> None:
        self._exclude = tuple(exclude)
        self._left_out: list[str] = []
        self._root = root
        self._prefix = f"{prefix}/" if prefix else ""
        self._name = name or root.resolve().name
        self._most_digested_bytes = most_digested_bytes
        self._files: tuple[tuple[Path, str], ...] | None = None
        self._components: dict[Path, Component] | None = None

    @property
    def root(self) -> Path:
        """The file or folder."""
        return self._root

    def files(self) -> tuple[tuple[Path, str], ...]:
        """Every file under the root in sorted order, each with its path as reports show it.

        Links to folders are listed and not followed; folders of tools are left out.

        Raises:
            Unreadable: there is nothing at the root, or a folder cannot be listed.
        """
        if self._files is None:
            if not self._root.exists():
                raise Unreadable(f"{str(self._root)!r} does not exist", hint="relative paths start where you are")
            if self._root.is_dir():
                found = [(Path(path), shown) for path, shown in _below(str(self._root), self._prefix)]
            else:
                found = [(self._root, self._prefix.rstrip("/") or self._root.name)]
            self._files = tuple((path, shown) for path, shown in found if not self._excluded(shown))
        return self._files

    def left_out(self) -> tuple[str, ...]:
        """Paths, as reports show them, of the files under the root that the settings exclude."""
        self.files()
        return tuple(self._left_out)

    def _excluded(self, shown: str) -> bool:
        if not self._exclude:
            return False
        from fnmatch import fnmatchcase

        out = any(fnmatchcase(shown, glob) for glob in self._exclude)
        if out:
            self._left_out.append(shown)
        return out

    def digest(self, path: Path) -> str:
        """SHA-256 of one of the files, hexadecimal; empty when it was not digested or cannot be read."""
        part = self._digested().get(path)
        return part.sha256 if part is not None else ""

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is, with the digest of every file; an empty one for a file that was not digested.

        Raises:
            Unreadable: a folder cannot be listed.
        """
        return SubjectRef(
            name=self._name,
            kind="files",
            components=tuple(self._digested().values()),
            binding=Binding(kind="file", uri=uri(self._root)),
        )

    def _digested(self) -> dict[Path, Component]:
        if self._components is None:
            regular = [path for path, _ in self.files() if path.is_file() and not path.is_symlink()]
            self._components = {path: self._component(path) for path in regular}
        return self._components

    def _component(self, path: Path) -> Component:
        try:
            size_bytes = path.stat().st_size
            if self._most_digested_bytes is None or size_bytes <= self._most_digested_bytes:
                return component("artifact", path)
        except (Unreadable, OSError):
            # one file without permission must not hide the others; the scan reports it by name
            size_bytes = 0
        return Component(role="artifact", uri=uri(path), sha256="", size_bytes=size_bytes)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Bytes alone."""
        return frozenset({"bytes"})

    @property
    def classes(self) -> tuple[str, ...]:
        """None: nothing is predicted."""
        return ()

    @property
    def bounds(self) -> tuple[float, float] | None:
        """None: nothing is predicted."""
        return None


def _below(folder: str, shown: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as err:
        raise Unreadable(f"cannot list {folder!r}: {err.strerror}") from err
    for entry in entries:
        name = f"{shown}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED_FOLDERS:
                yield from _below(entry.path, f"{name}/")
        else:
            yield entry.path, name


def open_files(path: Path, *, name: str = "") -> FilesSubject:
    """Make a subject of a file or folder.

    Raises:
        Unreadable: there is nothing at the path.
    """
    return open_all([path], name=name)[0]


def open_all(
    paths: Sequence[Path],
    *,
    name: str = "",
    exclude: Sequence[str] = (),
    most_digested_bytes: int | None = None,
) -> tuple[FilesSubject, ...]:
    """Make subjects of several files or folders whose paths in reports cannot be mistaken for each other.

    Raises:
        Unreadable: there is nothing at one of the paths.
    """
    for path in paths:
        if not path.exists():
            raise Unreadable(f"there is nothing at {uri(path)!r}", hint="check the path; it is relative to this folder")
    alone = len(paths) == 1
    return tuple(
        FilesSubject(
            path,
            name=name,
            prefix="" if alone else uri(path),
            exclude=exclude,
            most_digested_bytes=most_digested_bytes,
        )
        for path in paths
    )
