"""What a statement is about: a file known by its SHA-256, or a folder known by one digest over all its files.

Source: in-toto attestation specification v1.1, ResourceDescriptor and DigestSet. A folder's digest is ``dirHash``: the
SHA-256 of one line for each file, in the order of their paths, with its SHA-256, two spaces and its path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path

from redan.core.errors import Unreadable

FILE_DIGEST = "sha256"
FOLDER_DIGEST = "dirHash"
ACCEPTED = (FILE_DIGEST, FOLDER_DIGEST)
"""Digests by which resources are compared; others may stand beside them and decide nothing."""
MOST_FILES = 100_000
_LEFT_OUT = frozenset({".git", ".redan"})
"""Folders of tools that change without the model changing; all else that lies in a model's folder is the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing with its digests, as in-toto describes it.

    Attributes:
        name: what people call it; never compared.
        digest: algorithm → lower-case hexadecimal value.
    """

    name: str
    digest: Mapping[str, str]

    def is_same(self, other: Resource) -> bool:
        """Tell whether both have an accepted digest in common and contradict each other in none."""
        shared = [a for a in ACCEPTED if a in self.digest and a in other.digest]
        return bool(shared) and all(self.digest[a] == other.digest[a] for a in shared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Resource):
    """A file or folder on disk with the digests of its files.

    Attributes:
        files: path inside the folder (the name of a single file) → SHA-256, in the order of the paths.
    """

    files: Mapping[str, str]


def describe(path: Path) -> Model:
    """Digest a file or folder.

    Raises:
        Unreadable: missing, empty of files, a link or special file inside, a name with a line break, too many files.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise Unreadable(f"there is no model at {path.name!r}", hint="check the path; it is relative to this folder")
    digest = _digest(path)
    return Model(name=path.name, digest={FILE_DIGEST: digest}, files={path.name: digest})


def _folder(root: Path) -> Model:
    found: dict[str, str] = {}
    for path, name in _below(str(root), ""):
        if len(found) == MOST_FILES:
            raise Unreadable(f"{root.name!r} holds more than {MOST_FILES} files", hint="name the model's own folder")
        found[name] = _digest(Path(path))
    if not found:
        raise Unreadable(f"{root.name!r} holds no files, so there is nothing to make a statement about")
    files = dict(sorted(found.items(), key=lambda item: os.fsencode(item[0])))
    lines = "".join(f"{digest}  {name}\n" for name, digest in files.items())
    total = sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    return Model(name=root.resolve().name, digest={FOLDER_DIGEST: total}, files=files)


def _below(folder: str, shown: str) -> Iterator[tuple[str, str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as err:
        raise Unreadable(f"cannot list {shown or folder!r}: {err.strerror}") from err
    for entry in found:
        name = f"{shown}{entry.name}"
        if entry.is_symlink():
            raise Unreadable(
                f"{name!r} is a link; what it leads to could change without the model's folder changing",
                hint="put the file itself in its place: cp -rL FOLDER COPY",
            )
        if entry.is_dir():
            if shown or entry.name not in _LEFT_OUT:
                yield from _below(entry.path, f"{name}/")
        elif not entry.is_file() or "\n" in name:
            raise Unreadable(f"{name!r} is no regular file with a name on one line, so it cannot be digested")
        else:
            yield entry.path, name


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err
