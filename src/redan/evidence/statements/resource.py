"""What a statement is about: a file known by its SHA-256, or a folder known by one digest over all its files.

Source: in-toto attestation specification v1.1, ResourceDescriptor and DigestSet. A folder's digest is ``dirHash``: the
SHA-256 of one line for each file, in the order of their paths, with its SHA-256, two spaces and its path. The folders
``.git`` and ``.redan`` and the signature ``model.sig`` at its top are no part of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from redan.core.errors import Unreadable
from redan.kernels.digests import Memory, tree

FILE_DIGEST = "sha256"
FOLDER_DIGEST = "dirHash"
ACCEPTED = (FILE_DIGEST, FOLDER_DIGEST)
"""Digests by which resources are compared; others may stand beside them and decide nothing."""
LEFT_OUT = frozenset({".git", ".redan", "model.sig"})
"""At the top of a model's folder, what changes without the model changing; all else that lies there is the model."""


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


def describe(path: Path, *, memory: Memory | None = None) -> Model:
    """Digest a file or folder.

    Args:
        path: the file or folder.
        memory: asked before a file is read, told after.

    Raises:
        Unreadable: missing, empty of files, a link or special file inside, a name with a line break, or changed
            while it was read.
    """
    root = path.resolve()
    if not root.exists():
        raise Unreadable(f"there is no model at {str(path)!r}", hint="check the path; it is relative to this folder")
    ignored = LEFT_OUT if root.is_dir() else frozenset()
    files = {each.name: each.digest for each in tree(root, ignored=ignored, memory=memory)}
    return described(root.name, files, folder=not root.is_file())


def described(name: str, files: Mapping[str, str], *, folder: bool) -> Model:
    """Describe a file or folder whose files were digested already.

    Args:
        name: of the file or folder.
        files: path inside the folder (the name of a single file) → SHA-256, in the order of the paths.
        folder: whether it is one.

    Raises:
        Unreadable: a folder without files, or a name with a line break.
    """
    if not folder:
        return Model(name=name, digest={FILE_DIGEST: files[name]}, files=files)
    if not files:
        raise Unreadable(f"{name!r} holds no files, so there is nothing to make a statement about")
    if odd := next((each for each in files if "\n" in each), None):
        raise Unreadable(
            f"the name {odd!r} has a line break, so a folder with it has no digest", hint="rename the file"
        )
    lines = "".join(f"{digest}  {each}\n" for each, digest in files.items())
    return Model(name=name, digest={FOLDER_DIGEST: sha256(lines.encode()).hexdigest()}, files=files)
