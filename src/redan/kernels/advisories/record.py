"""From the bytes of one OSV record to what it says about packages of PyPI."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from redan.kernels.advisories.limits import LARGEST_RECORD_BYTES, LONGEST_TEXT, MOST_ALIASES, MOST_EVENTS
from redan.kernels.advisories.model import EventKind, Record
from redan.kernels.packages.names import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS: tuple[EventKind, ...] = ("introduced", "fixed", "last_affected")
_CWE = re.compile(r"CWE-([0-9]{1,5})")
_NAME = re.compile(rb'"name"\s*:\s*"([^"\\]{1,214})"')
_MODIFIED = re.compile(rb'"modified"\s*:\s*"([0-9TZ:.+-]{10,40})"')


class NotRecordError(ValueError):
    """Bytes that are no OSV record."""


def names_in(data: bytes) -> frozenset[str]:
    """Return every name in a record, normalised, without parsing it; a superset of the packages it is about."""
    return frozenset(normalised(name.decode("utf-8", "replace")) for name in _NAME.findall(data))


def modified_in(data: bytes) -> str:
    """Return when a record was last changed, without parsing it."""
    found = _MODIFIED.search(data)
    return found[1].decode("ascii") if found else ""


def parse(data: bytes) -> tuple[Record, ...]:
    """Read one record: what it says about each package of PyPI.

    A record that was withdrawn says nothing any more.

    Raises:
        NotRecordError: it is none, or larger than is read.
    """
    if len(data) > LARGEST_RECORD_BYTES:
        raise NotRecordError(f"larger than {LARGEST_RECORD_BYTES >> 20} MiB")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotRecordError("no JSON") from error
    if not isinstance(document, dict) or not _text(document.get("id")):
        raise NotRecordError("no OSV record: it has no id")
    if document.get("withdrawn"):
        return ()
    return tuple(_affected(document))


def _affected(document: dict[str, Any]) -> Iterator[Record]:
    further = _object(document.get("database_specific"))
    for entry in _objects(document.get("affected")):
        package = _object(entry.get("package"))
        if _text(package.get("ecosystem")).partition(":")[0] != "PyPI" or not _text(package.get("name")):
            continue
        ranges = _objects(entry.get("ranges"))
        own = _object(entry.get("database_specific"))
        scores = _objects(entry.get("severity")) or _objects(document.get("severity"))
        yield Record(
            id=_text(document.get("id")),
            package=normalised(_text(package.get("name"))),
            aliases=_texts(document.get("aliases"))[:MOST_ALIASES],
            ranges=tuple(_events(r) for r in ranges if r.get("type") == "ECOSYSTEM"),
            versions=frozenset(_texts(entry.get("versions"))),
            summary=_text(document.get("summary")) or _text(document.get("details")).partition("\n")[0],
            vectors=tuple(_text(each.get("score")) for each in scores),
            word=_text(own.get("severity")) or _text(further.get("severity")),
            cwes=tuple(int(m[1]) for m in map(_CWE.fullmatch, _texts(further.get("cwe_ids"))) if m),
            url=_address(document),
            modified=_text(document.get("modified")),
            ranges_left_out=sum(r.get("type") != "ECOSYSTEM" for r in ranges),
        )


def _events(found: dict[str, Any]) -> tuple[tuple[EventKind, str], ...]:
    events = _objects(found.get("events"))
    return tuple((kind, _text(event[kind])) for event in events for kind in _KINDS if _text(event.get(kind)))


def _address(document: dict[str, Any]) -> str:
    listed = _objects(document.get("references"))
    advisory = [_text(each.get("url")) for each in listed if each.get("type") == "ADVISORY"]
    return next((url for url in advisory if url.startswith("https://")), "")


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value[:MOST_EVENTS] if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value.strip()[:LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for item in value[:MOST_EVENTS] if (text := _text(item))) if isinstance(value, list) else ()
