"""From a path or bytes to a reading."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from redan.kernels.artifacts.formats import reader
from redan.kernels.artifacts.ledger import Ledger, LimitReached
from redan.kernels.artifacts.limits import STANDARD, Limits
from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.pickles import read_pickles, try_pickle
from redan.kernels.artifacts.sniffing import sniff
from redan.kernels.artifacts.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redan.kernels.artifacts.machine.values import Buffer
    from redan.kernels.artifacts.reading import Reading

LARGEST_NEIGHBOUR_BYTES = 4 << 20
"""Bytes of a file beside a configuration that are read."""

SMALLEST_MAPPED_BYTES = 1 << 20
"""A smaller file is read at once."""


def inspect(path: Path, limits: Limits = STANDARD) -> Reading:
    """Say what loading the file would do, without executing anything of it.

    Args:
        path: A file; its name is used only where a format gives names a meaning.
        limits: How much is read before the verdict becomes unknown.

    Raises:
        OSError: The file is missing, a folder, or cannot be read.
    """
    with path.open("rb") as file:
        n_bytes = file.seek(0, 2)
        file.seek(0)
        if n_bytes < SMALLEST_MAPPED_BYTES:
            return _inspect(file.read(), str(path), limits, _neighbours(path))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _inspect(data, str(path), limits, _neighbours(path))


def inspect_bytes(data: bytes, name: str, limits: Limits = STANDARD) -> Reading:
    """Say what loading these bytes would do; see `inspect`."""
    return _inspect(data, name, limits, lambda name: None)


def _neighbours(path: Path) -> Callable[[str], bytes | None]:
    """Reads the start of files that lie in the same folder as a configuration which names them."""

    def read_neighbour(name: str) -> bytes | None:
        if escapes(name):
            return None
        neighbour = path.parent / name
        if not neighbour.is_file():
            return None
        with neighbour.open("rb") as file:
            return file.read(LARGEST_NEIGHBOUR_BYTES)

    return read_neighbour


def _inspect(data: Buffer, path: str, limits: Limits, sibling: Callable[[str], bytes | None]) -> Reading:
    ledger = Ledger(limits)
    slug = ""
    name = path.replace("\\", "/").rpartition("/")[2]
    source = Source(data=data, name=name, where="", depth=0, ledger=ledger, read=read, sibling=sibling)
    try:
        slug = read(source)
    except LimitReached as limit:
        if not any(reason.kind == "limit" for reason in ledger.reasons):
            # It was reached in a part whose account was discarded.
            ledger.unknown("limit", f"limit {limit} = {getattr(limits, str(limit))} reached")
        slug = sniff(data) or "unknown"
    return ledger.reading(path, slug)


def read(source: Source) -> str:
    """Read one source by its content and return the slug of its format."""
    slug = sniff(source.data)
    if slug == "empty":
        return slug
    if slug == "pickle":
        return read_pickles(source)
    is_pickle = try_pickle(source, known=slug != "")
    if is_pickle:
        # A file of another format may begin as a pickle too; which of the two a loader sees is its choice.
        read_pickles(source)
    read_format = reader(slug)
    if read_format is not None:
        return read_format(source)
    if is_pickle:
        return "pickle"
    # The readers of documents and templates are many, and a scan of model files needs none of them.
    from redan.kernels.artifacts.plain import read_plain

    return read_plain(source)
