"""A model's bytes, read once: what is judged, scanned and loaded is this copy and never the file again."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable
from redan.evidence.statements.resource import LEFT_OUT, Model, described
from redan.kernels.digests import Facts, entries
from redan.kernels.digests.cache import RACY_NS
from redan.kernels.digests.listing import facts_of
from redan.service.models.at_rest import MAGIC, decrypted
from redan.subjects.digests import uri

if TYPE_CHECKING:
    from redan.evidence.encryption.wrapping import KeyEncryptionKey

MOST_BYTES = 16 << 30
"""Of one model; more would fill the memory of most machines, and it is read into memory."""
_HINT = "repeat when nothing writes to it"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Held:
    """A model in memory.

    Attributes:
        path: where it was read from, for its name and its statements alone; it is not read again.
        files: path inside the folder (the name of a single file) → its bytes, in the order of the paths.
        model: its digests, computed from ``files``.
        folder: whether it is a folder.
        encrypted: whether it lay encrypted, so that its plain text stands in memory only.
        facts: what the file system said of its files before they were read; empty where that tells nothing.
    """

    path: Path
    files: Mapping[str, bytes]
    model: Model
    folder: bool
    encrypted: bool = False
    facts: tuple[Facts, ...] = ()

    @property
    def digest(self) -> str:
        """The one digest that it is known by, hexadecimal: SHA-256 of a file, ``dirHash`` of a folder."""
        return next(iter(self.model.digest.values()))


def held(name: str, files: Mapping[str, bytes], *, path: Path, folder: bool, encrypted: bool = False) -> Held:
    """Describe bytes that are in memory.

    Args:
        name: of the file or folder.
        files: as in `Held`.
        path: where they lay.
        folder: whether they are a folder's.
        encrypted: whether they lay encrypted.

    Raises:
        Unreadable: nothing is there, or a name has a line break.
    """
    ordered = {each: files[each] for each in sorted(files)}
    model = described(name, {each: sha256(data).hexdigest() for each, data in ordered.items()}, folder=folder)
    return Held(path=path, files=ordered, model=model, folder=folder, encrypted=encrypted)


def hold(path: Path, *, keys: Sequence[KeyEncryptionKey] = ()) -> Held:
    """Read a file or folder once; a file that lies encrypted is decrypted into memory.

    Args:
        path: the file or folder.
        keys: that may open an encrypted file.

    Raises:
        Unreadable: missing, a link or special file inside, too large, or changed while it was read.
        EvidenceError: encrypted, and no key fits.
        SignatureRefused: encrypted, and changed since.
    """
    root = path.resolve()
    if not root.exists():
        raise Unreadable(f"there is no model at {uri(path)!r}", hint="check target; it is relative to redan.toml")
    facts = facts_at(root)
    found = _found(root, keys)
    newest_ns = max((max(each.mtime_ns, each.ctime_ns) for each in facts), default=0)
    # what changed just before it was read may change again and leave the same times
    return found if time.time_ns() - newest_ns < RACY_NS else replace(found, facts=facts)


def facts_at(path: Path) -> tuple[Facts, ...]:
    """Return what the file system says of the files of a model, in the order of their names.

    Raises:
        Unreadable: nothing is there.
    """
    root = path.resolve()
    return tuple(each.facts for each in entries(root, ignored=LEFT_OUT if root.is_dir() else frozenset()))


def _found(root: Path, keys: Sequence[KeyEncryptionKey]) -> Held:
    if root.is_dir():
        return held(root.name, _folder(root), path=root, folder=True)
    data = _read(root, root.name, MOST_BYTES)
    if not data.startswith(MAGIC):
        return held(root.name, {root.name: data}, path=root, folder=False)
    name, plain = decrypted(data, keys, root.name)
    return held(name, {name: plain}, path=root.with_name(name), folder=False, encrypted=True)


def _folder(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    for entry in entries(root, ignored=LEFT_OUT):
        if entry.kind != "file":
            raise Unreadable(f"{entry.name!r} is no regular file", hint="put the file itself into the model's folder")
        files[entry.name] = _read(Path(entry.path), entry.name, left)
        left -= len(files[entry.name])
    return files


def _read(path: Path, name: str, most_bytes: int) -> bytes:
    try:
        # a pipe in the file's place would otherwise be waited for
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb", buffering=0) as stream:  # noqa: PTH123 - of a handle, so that one file is looked at
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise Unreadable(f"{name!r} is no regular file", hint="put the model itself there")
            if before.st_size > most_bytes:
                raise Unreadable(f"{name!r} makes the model larger than {MOST_BYTES} bytes")
            data = stream.read(before.st_size)
            while len(data) < before.st_size and (more := stream.read(before.st_size - len(data))):
                data += more
            changed = len(data) != before.st_size or facts_of(os.fstat(handle)) != facts_of(before)
    except OSError as err:
        raise Unreadable(f"cannot read {name!r}: {err.strerror}") from err
    if changed:
        raise Unreadable(f"{name!r} changed while it was read", hint=_HINT)
    return data
