"""Bills of materials that somebody wrote: read within bounds, and held against the schema of their version."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from redan.core.errors import MissingDependency, Unreadable
from redan.core.record import dataclass

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 128 << 20
"""Bytes of a document that are read."""
MOST_FAULTS = 50
"""Faults that are named."""

_SPDX_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PACKAGE_KEYS = ("name", "SPDXID", "downloadLocation")
_TOP_KEYS = ("spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A bill as it was read.

    Attributes:
        standard: name and version, such as ``CycloneDX 1.7``.
        text: the document.
        content: the document, parsed.
    """

    standard: str
    text: str
    content: dict[str, Any]


def read(path: Path) -> Document:
    """Read a bill in JSON.

    Raises:
        Unreadable: missing, too large, no JSON, or neither CycloneDX nor SPDX 2.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"cannot read {str(path)!r}: {error.strerror}") from error
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"{path.name!r} is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path.name!r} is no JSON document", hint="redan bom make PATH -o FILE writes one") from error
    if isinstance(content, dict) and content.get("bomFormat") == "CycloneDX":
        return Document(standard=f"CycloneDX {str(content.get('specVersion'))[:20]}", text=text, content=content)
    if isinstance(content, dict) and str(content.get("spdxVersion")).startswith("SPDX-2."):
        return Document(standard=str(content["spdxVersion"])[:20].replace("-", " "), text=text, content=content)
    raise Unreadable(f"{path.name!r} is neither CycloneDX nor SPDX 2", hint="only their JSON forms are read")


def faults(document: Document) -> list[str]:
    """Return what does not fit the document's own standard, one sentence each; none for a valid one.

    Raises:
        MissingDependency: the schemas are not installed.
        Unreadable: a version that there is no schema for.
    """
    return _spdx_faults(document.content) if document.standard.startswith("SPDX") else _cyclonedx_faults(document)


def _cyclonedx_faults(document: Document) -> list[str]:
    try:
        from cyclonedx.exception import MissingOptionalDependencyException
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError as error:
        raise MissingDependency.of("cyclonedx", "bom", "validating CycloneDX") from error
    try:
        version = SchemaVersion.from_version(document.standard.removeprefix("CycloneDX "))
        found = JsonStrictValidator(version).validate_str(document.text, all_errors=True)
    except MissingOptionalDependencyException as error:
        raise MissingDependency.of("jsonschema", "bom", "validating CycloneDX") from error
    except RecursionError as error:
        raise Unreadable("the document is nested too deep to be validated") from error
    except (ValueError, KeyError, AssertionError, NotImplementedError) as error:
        raise Unreadable(f"there is no schema for {document.standard}", hint="1.2 to 1.7 have one") from error
    schema = [f"{_place(each.data.absolute_path)}: {str(each.data.message)[:300]}" for each in found or ()]
    return (schema + _dangling(document.content))[:MOST_FAULTS]


def _place(path: Any) -> str:
    return "/".join(map(str, path)) or "document"


def _dangling(content: dict[str, Any]) -> list[str]:
    """Return references that lead nowhere and names that stand twice, which no JSON schema can tell."""
    refs: list[str] = []
    open_parts: list[Any] = [content.get("metadata"), content.get("components"), content.get("services")]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, dict):
            if isinstance(part.get("bom-ref"), str):
                refs.append(part["bom-ref"])
            open_parts += part.values()
        elif isinstance(part, list):
            open_parts += part
    known = Counter(refs)
    twice = sorted(ref for ref, count in known.items() if count > 1)
    wanted = [each for each in _listed(content.get("dependencies")) if isinstance(each, dict)]
    ends = {str(ref) for each in wanted for ref in [each.get("ref"), *_listed(each.get("dependsOn"))]}
    lost = sorted(ref for ref in ends - known.keys() if not ref.startswith("urn:cdx:"))
    return [f"bom-ref {ref[:200]!r} stands twice" for ref in twice] + [
        f"no component has bom-ref {ref[:200]!r}" for ref in lost
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _spdx_faults(content: dict[str, Any]) -> list[str]:
    """Check the rules of SPDX 2.3 that a program relies on: required fields, identifiers, references, time."""
    found = [f"document: {key!r} is required" for key in _TOP_KEYS if not content.get(key)]
    made = content.get("creationInfo")
    if not isinstance(made, dict) or not made.get("creators") or not _CREATED.fullmatch(str(made.get("created"))):
        found.append("creationInfo: creators and created (YYYY-MM-DDThh:mm:ssZ) are required")
    packages = [p for p in _listed(content.get("packages")) if isinstance(p, dict)]
    known = {"SPDXRef-DOCUMENT"}
    for number, package in enumerate(packages):
        found += [f"packages/{number}: {key!r} is required" for key in _PACKAGE_KEYS if not package.get(key)]
        name = str(package.get("SPDXID"))
        if not _SPDX_ID.fullmatch(name) or name in known:
            found.append(f"packages/{number}: SPDXID {name[:80]!r} is malformed or stands twice")
        known.add(name)
    for number, row in enumerate(_listed(content.get("relationships"))):
        ends = (
            {str(row.get(key)) for key in ("spdxElementId", "relatedSpdxElement")} if isinstance(row, dict) else {"?"}
        )
        if lost := sorted(end for end in ends - known if end not in ("NONE", "NOASSERTION")):
            found.append(f"relationships/{number}: {lost[0][:80]!r} is no package of this document")
    return found[:MOST_FAULTS]
