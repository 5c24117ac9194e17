"""A disk that remembers every call, and what would be left of it when the power goes at any moment.

The model is harsh: what a completed sync covers is there; of everything else any subset may be there, in torn pieces;
the length may have grown before the content came, so that there are zeros.
Names in a folder (new, renamed, removed) are kept by a sync of that folder only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from redan.evidence.log.disk import Disk


class RecordingDisk(Disk):
    """Does everything but syncing, and keeps a trace; what a sync is worth is up to `Machine`.

    Args:
        root: the log; the trace names what lies below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trace: list[tuple[object, ...]] = []
        self._paths: dict[int, Path] = {}

    def _note(self, kind: str, *what: object) -> None:
        self.trace.append((kind, *(w.relative_to(self.root) if isinstance(w, Path) else w for w in what)))

    def create(self, path: Path) -> int:
        handle = super().create(path)
        self._paths[handle] = path
        self._note("create", path)
        return handle

    def reopen(self, path: Path) -> int:
        handle = super().reopen(path)
        self._paths[handle] = path
        return handle

    def append(self, handle: int, data: bytes) -> None:
        self._note("append", self._paths[handle], bytes(data))
        super().append(handle, data)

    def truncate(self, handle: int, size_bytes: int) -> None:
        self._note("truncate", self._paths[handle], size_bytes)
        super().truncate(handle, size_bytes)

    def sync(self, handle: int) -> None:
        self._note("sync", self._paths[handle])

    def rename(self, old: Path, new: Path) -> None:
        self._note("rename", old, new)
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._note("remove", path)
        super().remove(path)

    def make_folder(self, path: Path) -> None:
        if not path.is_dir():
            self._note("folder", path)
        super().make_folder(path)

    def remove_folder(self, path: Path) -> None:
        self._note("remove", path)
        super().remove_folder(path)

    def sync_folder(self, path: Path) -> None:
        self._note("sync folder", path)


@dataclass
class File:
    """Content that survived for sure, and writes that may have."""

    durable: bytearray = field(default_factory=bytearray)
    live_bytes: int = 0
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def left(self, rng: random.Random) -> bytes:
        found = bytearray(self.durable)
        for at, data in self.pending:
            if rng.random() < 0.4:
                continue
            if data is None:
                del found[at:]
                continue
            start, stop = 0, len(data)
            if rng.random() < 0.6:
                stop = rng.randrange(len(data) + 1)
            if rng.random() < 0.2:
                start = rng.randrange(stop + 1)
            if start < stop:
                found.extend(bytes(max(0, at + start - len(found))))
                found[at + start : at + stop] = data[start:stop]
        longest = max((at + len(data) for at, data in self.pending if data is not None), default=0)
        if len(found) < longest and rng.random() < 0.3:
            found.extend(bytes(rng.randrange(longest - len(found)) + 1))
        return bytes(found)


@dataclass
class Folder:
    """Names that survived for sure, names as they are, and changes that may have survived."""

    durable: dict[str, File | Folder] = field(default_factory=dict)
    live: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[dict[str, File | Folder | None]] = field(default_factory=list)

    def change(self, change: dict[str, File | Folder | None]) -> None:
        self.pending.append(change)
        _apply(self.live, change)

    def left(self, rng: random.Random) -> dict[str, File | Folder]:
        found = dict(self.durable)
        for change in self.pending:
            if rng.random() < 0.5:
                _apply(found, change)
        return found


def _apply(names: dict[str, File | Folder], change: dict[str, File | Folder | None]) -> None:
    for name, what in change.items():
        if what is None:
            names.pop(name, None)
        else:
            names[name] = what


class Machine:
    """The disk of a machine, fed with a trace.

    Args:
        root: the folder as it was before the trace; its content counts as durable.
    """

    def __init__(self, root: Path) -> None:
        self.top = _durable(root)

    def _at(self, path: object) -> tuple[Folder, str]:
        assert isinstance(path, Path)
        folder = self.top
        *parents, name = path.parts
        for part in parents:
            below = folder.live[part]
            assert isinstance(below, Folder)
            folder = below
        return folder, name

    def step(self, call: tuple[object, ...]) -> None:
        kind, path, *rest = call
        if kind == "sync folder":
            folder = self.top
            if path != Path():
                parent, name = self._at(path)
                below = parent.live[name]
                assert isinstance(below, Folder)
                folder = below
            folder.durable, folder.pending = dict(folder.live), []
            return
        parent, name = self._at(path)
        if kind in {"create", "folder"}:
            parent.change({name: File() if kind == "create" else Folder()})
        elif kind == "remove":
            parent.change({name: None})
        elif kind == "rename":
            new, new_name = self._at(rest[0])
            assert new is parent
            parent.change({name: None, new_name: parent.live[name]})
        else:
            self._write(parent.live[name], kind, rest)

    def _write(self, file: File | Folder, kind: object, rest: list[object]) -> None:
        assert isinstance(file, File)
        if kind == "append":
            (data,) = rest
            assert isinstance(data, bytes)
            file.pending.append((file.live_bytes, data))
            file.live_bytes += len(data)
        elif kind == "truncate":
            (size,) = rest
            assert isinstance(size, int)
            file.pending.append((size, None))
            file.live_bytes = size
        else:
            assert kind == "sync"
            for at, data in file.pending:
                if data is None:
                    del file.durable[at:]
                else:
                    file.durable[at : at + len(data)] = data
            file.pending = []

    def crash(self, target: Path, rng: random.Random) -> None:
        """Write what is left into a new folder."""
        _write_out(self.top, target, rng)


def _write_out(folder: Folder, target: Path, rng: random.Random) -> None:
    target.mkdir()
    for name, what in folder.left(rng).items():
        if isinstance(what, Folder):
            _write_out(what, target / name, rng)
        else:
            (target / name).write_bytes(what.left(rng))


def _durable(path: Path) -> Folder:
    folder = Folder()
    for child in path.iterdir():
        if child.is_dir():
            folder.durable[child.name] = _durable(child)
        else:
            data = child.read_bytes()
            folder.durable[child.name] = File(durable=bytearray(data), live_bytes=len(data))
    folder.live = dict(folder.durable)
    return folder
