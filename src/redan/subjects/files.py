"""A file or folder whose bytes are read and never loaded. Standard library only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.errors import Unreadable
from redan.core.subject import Binding, Component, SubjectRef
from redan.subjects.digests import component, regular_files, uri

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.subject import Capability


class FilesSubject:
    """What `redan scan` looks at.

    Each file is digested when the reference is first asked for. Links are not followed.

    Args:
        root: the file or folder.
        name: what reports call it; its own name when empty.
    """

    def __init__(self, root: Path, *, name: str = "") -> None:
        self._root = root
        self._name = name or root.resolve().name
        self._ref: SubjectRef | None = None

    @property
    def root(self) -> Path:
        """The file or folder."""
        return self._root

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is, with the digest of every file; an empty one for a file that cannot be read.

        Raises:
            Unreadable: a folder cannot be listed.
        """
        if self._ref is None:
            paths = regular_files(self._root) if self._root.is_dir() else [self._root]
            self._ref = SubjectRef(
                name=self._name,
                kind="files",
                components=tuple(_digested(path) for path in paths),
                binding=Binding(kind="file", uri=uri(self._root)),
            )
        return self._ref

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


def _digested(path: Path) -> Component:
    try:
        return component("artifact", path)
    except Unreadable:
        # one file without permission must not hide the others; the scan reports it by name
        return Component(role="artifact", uri=uri(path), sha256="")


def open_files(path: Path, *, name: str = "") -> FilesSubject:
    """Make a subject of a file or folder.

    Raises:
        Unreadable: there is nothing at the path.
    """
    if not path.exists():
        raise Unreadable(f"there is nothing at {uri(path)!r}", hint="check the path; it is relative to this folder")
    return FilesSubject(path, name=name)
