"""Dumps of OSV records that a user gives: an archive as OSV publishes it, a folder, or lines of JSON."""

from __future__ import annotations

import os
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, is_zipfile

from redan.core.errors import Unreadable
from redan.kernels.advisories.limits import LARGEST_RECORD_BYTES, MOST_RECORDS
from redan.kernels.advisories.model import Dump
from redan.kernels.advisories.record import NotRecordError, modified_in, names_in, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redan.kernels.advisories.model import Record


def read_dump(path: Path, wanted: frozenset[str]) -> Dump:
    """Read the records about some packages; one record is in memory at a time.

    Args:
        path: ``all.zip``, a folder with ``*.json``, a file of one record, or of one record a line.
        wanted: normalised names of packages.

    Raises:
        Unreadable: there is nothing at the path, or no record in it.
    """
    found: dict[str, list[Record]] = {}
    n_records = n_broken = 0
    newest = ""
    for data in _members(path):
        try:
            stamp, kept = _about(data, wanted)
        except NotRecordError:
            n_broken += 1
            continue
        n_records += 1
        newest = max(newest, stamp)
        for record in kept:
            found.setdefault(record.package, []).append(record)
    if not n_records:
        raise Unreadable(
            f"{path.name!r} holds no OSV record",
            hint="give PyPI's all.zip as OSV publishes it, a folder of JSON records, or one record a line",
        )
    return Dump(
        name=path.name,
        by_package={name: tuple(records) for name, records in found.items()},
        n_records=n_records,
        n_broken=n_broken,
        newest=newest,
        file_date=f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%d}",
    )


def _about(data: bytes, wanted: frozenset[str]) -> tuple[str, tuple[Record, ...]]:
    """Return when a record was changed and what it says about the wanted packages; most need no parsing."""
    stamp = modified_in(data)
    if stamp and names_in(data).isdisjoint(wanted):
        return stamp, ()
    return stamp, tuple(record for record in parse(data) if record.package in wanted)


def _members(path: Path) -> Iterator[bytes]:
    try:
        if path.is_dir():
            yield from _in_folder(path)
        elif is_zipfile(path):
            yield from _in_archive(path)
        else:
            yield from _in_file(path)
    except OSError as error:
        raise Unreadable(f"cannot read the OSV dump {path.name!r}: {error.strerror or error}") from error


def _in_archive(path: Path) -> Iterator[bytes]:
    try:
        with ZipFile(path) as archive:
            for number, member in enumerate(archive.infolist()):
                _bounded(number, path)
                if member.filename.endswith(".json"):
                    with archive.open(member) as stream:
                        yield stream.read(LARGEST_RECORD_BYTES + 1)
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise Unreadable(f"the OSV dump {path.name!r} is a broken archive: {error}") from error


def _in_folder(path: Path) -> Iterator[bytes]:
    number = 0
    for folder, _, names in os.walk(path):
        for name in sorted(names):
            file = os.path.join(folder, name)  # noqa: PTH118  # a Path a file takes longer than reading it
            if name.endswith(".json") and os.path.isfile(file):  # noqa: PTH113  # the same
                _bounded(number, path)
                number += 1
                with open(file, "rb") as stream:  # noqa: PTH123  # the same
                    yield stream.read(LARGEST_RECORD_BYTES + 1)


def _in_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        if path.suffix == ".json":
            yield stream.read(LARGEST_RECORD_BYTES + 1)
            return
        number = 0
        while (line := stream.readline(LARGEST_RECORD_BYTES + 1)) != b"":
            _bounded(number, path)
            number += 1
            if line.strip():
                yield line


def _bounded(number: int, path: Path) -> None:
    if number >= MOST_RECORDS:
        raise Unreadable(f"the OSV dump {path.name!r} has more than {MOST_RECORDS} records")


def age_d(dump: Dump, now: datetime) -> int | None:
    """Return how many days ago the newest record was changed; None where that is unknown or lies in the future."""
    try:
        newest = datetime.fromisoformat(dump.newest)
    except ValueError:
        return None
    days = (now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC))).days
    return days if days >= -1 else None
