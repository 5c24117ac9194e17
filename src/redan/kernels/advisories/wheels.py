"""Which versions a folder of wheels offers, and what each asks of others; nothing is unpacked or run.

Source: the PyPA specifications of the binary distribution format and of core metadata.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from redan.core.errors import Unreadable
from redan.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

LARGEST_METADATA_BYTES = 4 << 20
"""Bytes of one METADATA file."""
MOST_WHEELS = 50_000
"""Wheels of one folder."""

Needs = tuple[tuple[str, "SpecifierSet"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a folder offers.

    Attributes:
        versions: package → version → what that asks of others here, extras left out.
        broken: wheels that could not be read.
    """

    versions: dict[str, dict[str, Needs]]
    broken: tuple[str, ...]


def offered(folder: Path) -> Offered:
    """Read the names and metadata of every wheel in a folder.

    Raises:
        Unreadable: it is no folder, or holds no wheel.
    """
    if not folder.is_dir():
        raise Unreadable(f"{folder.name!r} is no folder", hint="--wheels names a folder of .whl files")
    versions: dict[str, dict[str, Needs]] = {}
    broken = []
    for wheel in sorted(folder.glob("*.whl"))[:MOST_WHEELS]:
        try:
            name, version, _, _ = parse_wheel_filename(wheel.name)
            versions.setdefault(str(name), {}).setdefault(version.public, needs(_metadata(wheel)))
        except (InvalidWheelFilename, BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error):
            broken.append(wheel.name)
    if not versions:
        raise Unreadable(f"{folder.name!r} holds no wheel that can be read", hint="fill it with pip download")
    return Offered(versions=versions, broken=tuple(broken))


def installed(prefix: Path) -> dict[str, dict[str, Needs]]:
    """Read what the distributions of an environment ask of others; a broken one asks for nothing."""
    found: dict[str, dict[str, Needs]] = {}
    for pattern in ("*.dist-info", "lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info"):
        for folder in sorted(prefix.glob(pattern))[:MOST_WHEELS]:
            try:
                with (folder / "METADATA").open("rb") as stream:
                    raw, _ = parse_email(stream.read(LARGEST_METADATA_BYTES))
            except OSError:
                continue  # reading the environment has already said so
            name, version = raw.get("name", ""), raw.get("version", "")
            found.setdefault(str(canonicalize_name(name)), {})[version] = needs(raw.get("requires_dist", ()))
    return found


def needs(written: Iterable[str]) -> Needs:
    """Read what a distribution asks for without any extra, in the environment that this runs in."""
    found = []
    for text in written:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue  # installers refuse such a wheel themselves
        if wanted.specifier and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            found.append((str(canonicalize_name(wanted.name)), wanted.specifier))
    return tuple(found)


def _metadata(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        named = [n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
        if not named:
            raise ValueError("no METADATA")
        with archive.open(named[0]) as stream:
            raw, _ = parse_email(stream.read(LARGEST_METADATA_BYTES))
    return raw.get("requires_dist", [])
