"""Where stored bytes lie: a folder, or any location that fsspec knows by URL; an object appears whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

from redan.core.errors import ConfigError, EvidenceError, MissingDependency

READ_BYTES = 1 << 20
NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30,62}")
"""Form of an object's name: no name can lead out of the place."""
_WHOLE_ON_CLOSE = frozenset({"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
"""Locations where an object is seen only once it has been written completely, so that it needs no renaming."""


class Place(Protocol):
    """Objects by name."""

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep an object; durable when this returns.

        Raises:
            EvidenceError: it cannot be written.
        """

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading.

        Raises:
            EvidenceError: it is not there or cannot be read.
        """

    def remove(self, name: str) -> None:
        """Remove an object if it is there."""

    def names(self) -> Iterator[str]:
        """Return the name of every object, and nothing else that may lie there."""


def place_of(url: str, *, root: Path) -> Place:
    """Return the place that a folder's path or a URL names.

    Raises:
        ConfigError: the URL is of a kind that fsspec does not know.
        MissingDependency: fsspec, or what it needs for this kind, is not installed.
    """
    kind = urlsplit(url).scheme
    if kind in ("", "file"):
        return Folder(root / url.removeprefix("file://"))
    try:
        import fsspec
    except ImportError as err:
        raise MissingDependency.of("fsspec", "store", f"keeping blobs at {url}") from err
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ValueError as err:
        raise ConfigError(f"blobs cannot be kept at {url!r}: {err}", hint="use a folder or a URL of fsspec") from err
    except ImportError as err:
        raise MissingDependency(f"keeping blobs at {url} needs a library: {err}", hint="install that library") from err
    return Remote(system=system, base=path.rstrip("/"), whole_on_close=kind in _WHOLE_ON_CLOSE)


def pieces_of(place: Place, name: str) -> Iterator[bytes]:
    """Return the bytes of an object piece by piece.

    Raises:
        EvidenceError: it is not there or cannot be read.
    """
    try:
        with place.open(name) as file:
            yield from iter(lambda: file.read(READ_BYTES), b"")
    except OSError as err:
        raise EvidenceError(f"the stored object {name} cannot be read: {err}") from err


def durable_write(path: Path, pieces: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Write a file beside its place, bring it to the disk, and rename it into its place.

    Raises:
        EvidenceError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as err:
        raise EvidenceError(f"cannot write {str(path)!r}: {err.strerror}", hint="is the disk full?") from err
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise EvidenceError(f"{name!r} is no name of a stored object")
    return name


@dataclass(frozen=True, slots=True)
class Folder:
    """Objects as files ``ab/cdef…`` that only their owner may read."""

    path: Path

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep an object; durable when this returns.

        Raises:
            EvidenceError: it cannot be written.
        """
        durable_write(self.path / _checked(name), pieces)

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading.

        Raises:
            EvidenceError: it is not there or cannot be read.
        """
        try:
            return (self.path / _checked(name)).open("rb")
        except OSError as err:
            raise EvidenceError(f"the stored object {name} cannot be read from {self.path}: {err.strerror}") from err

    def remove(self, name: str) -> None:
        """Remove an object if it is there."""
        (self.path / _checked(name)).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """Return the name of every object in order."""
        for file in sorted(self.path.glob("??/*")):
            name = f"{file.parent.name}/{file.name}"
            if NAME.fullmatch(name) and file.is_file():
                yield name


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Objects in a location of fsspec.

    Attributes:
        system: the file system.
        base: path of the location inside it.
        whole_on_close: an object is seen only once it is complete; elsewhere it is renamed into its place.
    """

    system: Any
    base: str
    whole_on_close: bool

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep an object; as durable as the location makes it.

        Raises:
            EvidenceError: it cannot be written.
        """
        path = self._path(name)
        target = path if self.whole_on_close else f"{path}.{secrets.token_hex(8)}.tmp"
        with _telling("write", name):
            self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self._write(target, pieces)
                if target != path:
                    self.system.mv(target, path)
            except BaseException:
                if target != path:
                    with suppress(OSError):
                        self.system.rm_file(target)
                raise

    def _write(self, path: str, pieces: Iterable[bytes]) -> None:
        file = self.system.open(path, "wb")
        try:
            for piece in pieces:
                file.write(piece)
        except BaseException:
            # closing would make the part visible
            with suppress(OSError, NotImplementedError, AttributeError):
                file.discard()
            raise
        file.close()

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading.

        Raises:
            EvidenceError: it is not there or cannot be read.
        """
        with _telling("read", name):
            return cast(BinaryIO, self.system.open(self._path(name), "rb"))

    def remove(self, name: str) -> None:
        """Remove an object if it is there."""
        with _telling("remove", name), suppress(FileNotFoundError):
            self.system.rm_file(self._path(name))

    def names(self) -> Iterator[str]:
        """Return the name of every object in order."""
        with _telling("list", self.base):
            found = sorted(self.system.find(self.base)) if self.system.exists(self.base) else []
        for path in found:
            name = "/".join(path.split("/")[-2:])
            if NAME.fullmatch(name):
                yield name

    def _path(self, name: str) -> str:
        return f"{self.base}/{_checked(name)}"


@contextmanager
def _telling(verb: str, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise EvidenceError(f"cannot {verb} the stored object {name}: {err}") from err
