"""Content to digest, in blocks, by as many threads as there are processors (hashlib lets go of the interpreter lock).

Blocks are read and not mapped: a mapped file that somebody shortens meanwhile ends the process with a bus error.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from redan.core.errors import MissingDependency, UnknownName, Unreadable
from redan.kernels.digests.listing import Entry, entries, facts_of

SIZES_BYTES = {"sha256": 32, "blake2b": 64, "blake3": 32}
"""Length of each algorithm's digest; the names are those of the OpenSSF Model Signing algorithm registry."""

# large enough that threads rarely meet at the interpreter lock, small enough to stay in a processor's cache
_BLOCK_BYTES = 1 << 20
# starting a thread costs about what hashing this much does
_LEAST_FOR_THREADS_BYTES = 1 << 18
_MOST_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDigest:
    """The digest of a file or of one range of its bytes.

    Attributes:
        name: of the file below the root.
        start_bytes: first byte of the range; 0 for a whole file.
        size_bytes: length of the range.
        algorithm: a key of ``SIZES_BYTES``.
        digest: hexadecimal, lower case.
        remembered: whether it comes from a memory and nothing was read.
    """

    name: str
    start_bytes: int = 0
    size_bytes: int
    algorithm: str
    digest: str
    remembered: bool = False


class Memory(Protocol):
    """Digests of files read earlier."""

    def recall(self, entry: Entry) -> tuple[str, ...] | None:
        """Return the digests of a file's ranges when its facts are those it was read under, else None."""

    def learn(self, entry: Entry, digests: tuple[str, ...], read_at_ns: int) -> None:
        """Take the digests of a file whose reading began at a time since the epoch."""


def tree(
    root: Path,
    *,
    algorithm: str = "sha256",
    shard_bytes: int | None = None,
    ignored: frozenset[str] = frozenset(),
    memory: Memory | None = None,
    threads: int | None = None,
) -> tuple[FileDigest, ...]:
    """Digest every file below a folder, or the one file, in the order of names by code point.

    Args:
        root: a folder or a file.
        algorithm: sha256, blake2b, or blake3 where its package is installed.
        shard_bytes: length of the ranges that files are cut into; None digests each as a whole.
        ignored: names left out, with everything below them.
        memory: asked before a file is read, told after.
        threads: at most so many; None for one a processor.

    Raises:
        Unreadable: something is a link or special, cannot be read, or changed while it was read.
        UnknownName, MissingDependency: the algorithm is unknown or its package is not installed.
    """
    found = entries(root, ignored=ignored)
    for entry in found:
        if entry.kind != "file":
            kind = "a symbolic link" if entry.kind == "link" else "no regular file"
            raise Unreadable(
                f"{entry.name!r} is {kind}; only regular files have content of their own",
                hint="put the file itself there, or leave this name out",
            )
    return digested(found, algorithm=algorithm, shard_bytes=shard_bytes, memory=memory, threads=threads)


def file(path: Path, *, algorithm: str = "sha256") -> FileDigest:
    """Digest one file.

    Raises:
        Unreadable: it is no regular file, cannot be read, or changed while it was read.
    """
    return tree(path, algorithm=algorithm)[0]


def digested(
    found: Iterable[Entry],
    *,
    algorithm: str = "sha256",
    shard_bytes: int | None = None,
    memory: Memory | None = None,
    threads: int | None = None,
) -> tuple[FileDigest, ...]:
    """Digest listed files; arguments and errors as in ``tree``."""
    begin = hasher(algorithm)
    read_at_ns = time.time_ns()
    kept: list[tuple[Entry, list[range], tuple[str, ...] | None]] = []
    work: list[tuple[Entry, range]] = []
    for entry in found:
        ranges = _ranges(entry.facts.size_bytes, shard_bytes)
        known = memory.recall(entry) if memory is not None else None
        if known is None or len(known) != len(ranges):
            known = None
            work.extend((entry, part) for part in ranges)
        kept.append((entry, ranges, known))
    read = iter(_all_read(work, begin, threads or _processors()))
    result: list[FileDigest] = []
    for entry, ranges, known in kept:
        values = known if known is not None else tuple(next(read) for _ in ranges)
        if known is None and memory is not None:
            memory.learn(entry, values, read_at_ns)
        result.extend(_described(entry, algorithm, ranges, values, known is not None))
    return tuple(result)


def hasher(algorithm: str) -> Callable[[], Any]:
    """Return what begins a digest of an algorithm.

    Raises:
        UnknownName: no such algorithm.
        MissingDependency: blake3 is not installed.
    """
    if algorithm not in SIZES_BYTES:
        raise UnknownName.among("hash algorithm", algorithm, list(SIZES_BYTES))
    if algorithm != "blake3":
        begin: Callable[[], Any] = getattr(hashlib, algorithm)
        return begin
    try:
        found: Callable[[], Any] = import_module("blake3").blake3
    except ImportError as err:
        raise MissingDependency(
            "digests with BLAKE3 need 'blake3', which is not installed", hint="pip install blake3"
        ) from err
    return found


def _described(
    entry: Entry, algorithm: str, ranges: list[range], values: Sequence[str], remembered: bool
) -> Iterable[FileDigest]:
    return (
        FileDigest(
            name=entry.name,
            start_bytes=part.start,
            size_bytes=len(part),
            algorithm=algorithm,
            digest=value,
            remembered=remembered,
        )
        for part, value in zip(ranges, values, strict=True)
    )


def _ranges(size_bytes: int, shard_bytes: int | None) -> list[range]:
    """Cut a file into ranges; an empty file has one as a whole and none when it is cut."""
    if shard_bytes is None:
        return [range(size_bytes)]
    return [range(start, min(start + shard_bytes, size_bytes)) for start in range(0, size_bytes, shard_bytes)]


def _all_read(work: list[tuple[Entry, range]], begin: Callable[[], Any], threads: int) -> list[str]:
    results = [""] * len(work)
    # the largest first: the last one to end decides how long all take
    order = sorted(range(len(work)), key=lambda place: -len(work[place][1]))
    waiting, failures = deque(order), deque[BaseException]()

    def run() -> None:
        buffer = bytearray(_BLOCK_BYTES)
        while not failures:
            try:
                place = waiting.popleft()
            except IndexError:
                return
            try:
                results[place] = _read(*work[place], begin, buffer)
            except BaseException as err:  # noqa: BLE001 - raised again below, in the thread that asked
                failures.append(err)

    total_bytes = sum(len(part) for _, part in work)
    more = min(threads, _MOST_THREADS, len(work), 1 + total_bytes // _LEAST_FOR_THREADS_BYTES) - 1
    others = [threading.Thread(target=run, daemon=True) for _ in range(more)]
    for thread in others:
        thread.start()
    run()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
    return results


def _read(entry: Entry, part: range, begin: Callable[[], Any], buffer: bytearray) -> str:
    digest = begin()
    view = memoryview(buffer)
    try:
        # a pipe put in the file's place between listing and reading would otherwise be waited for
        handle = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb", buffering=0) as stream:  # noqa: PTH123 - of a handle, not of a path
            changed = facts_of(os.fstat(handle)) != entry.facts
            left = 0 if changed else part.stop - stream.seek(part.start)
            while left and (n_bytes := stream.readinto(view[:left])):
                digest.update(view[:n_bytes])
                left -= n_bytes
            changed = changed or bool(left) or facts_of(os.fstat(handle)) != entry.facts
    except OSError as err:
        raise Unreadable(f"cannot read {entry.name!r}: {err.strerror}") from err
    if changed:
        raise Unreadable(f"{entry.name!r} changed while it was read", hint="repeat when nothing writes to it")
    value: str = digest.hexdigest()
    return value


def _processors() -> int:
    # a container often may use fewer processors than the machine has
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
