"""Whether a version is affected. Source: OSV schema 1.7, section "Evaluation"; PEP 440."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.kernels.advisories.model import EventKind, Record

_ORDER = {"fixed": 0, "introduced": 1, "last_affected": 2}
"""Of events at one version: what ends a range comes before what opens the next, so that none is lost between them."""


@lru_cache(maxsize=50_000)
def version_of(text: str) -> Version | None:
    """Return a version without its local part, or None where PEP 440 has no such version.

    A local build such as ``2.5.1+cu121`` is the public release with other compiler settings, so it has its weaknesses.
    """
    try:
        return Version(Version(text).public)
    except InvalidVersion:
        return None


def affects(record: Record, text: str) -> bool:
    """Whether a record says that a version is affected: it is in the list, or in a range.

    A version that PEP 440 does not know is compared with the list alone, and so is one in a range that names such.
    """
    if text in record.versions:
        return True
    version = version_of(text)
    if version is None:
        return False
    return any(_within(version, events) for events in record.ranges) or any(
        version_of(each) == version for each in record.versions
    )


def fixes(records: Iterable[Record]) -> tuple[Version, ...]:
    """Return every version that a record names as fixed, in order."""
    named = {fixed for r in records for events in r.ranges for kind, text in events if kind == "fixed"
             and (fixed := version_of(text)) is not None}  # fmt: skip
    return tuple(sorted(named))


def unclear(record: Record) -> bool:
    """Whether a record has a range that names a version which PEP 440 does not know, so that it cannot be used."""
    return any(not _known(events) for events in record.ranges)


def _known(events: tuple[tuple[EventKind, str], ...]) -> bool:
    return all(version_of(text) is not None for _, text in events)


def _within(version: Version, events: tuple[tuple[EventKind, str], ...]) -> bool:
    if not _known(events):
        return False
    inside = False
    for kind, text in sorted(events, key=lambda event: (_place(event), _ORDER[event[0]])):
        at = version_of(text)
        assert at is not None
        if kind == "introduced":
            inside = inside or text == "0" or version >= at
        elif version >= at if kind == "fixed" else version > at:
            inside = False
    return inside


def _place(event: tuple[EventKind, str]) -> Version:
    # "0" stands before every version, the development releases of 0 too
    at = version_of("0.dev0" if event == ("introduced", "0") else event[1])
    assert at is not None
    return at
