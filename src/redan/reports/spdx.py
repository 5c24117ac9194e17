"""SPDX 2.3 as JSON. Source: SPDX specification 2.3, clauses 6 to 11, and its JSON schema."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from redan.reports.cyclonedx import iri, pruned
from redan.reports.licences import is_expression
from redan.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.bom import Bom, Component, ModelCard

_PURPOSES = {
    "application": "APPLICATION", "container": "CONTAINER", "data": "OTHER", "file": "FILE", "library": "LIBRARY",
    "model": "OTHER",
}  # fmt: skip
_ALGORITHMS = {
    "md5": ("MD5", 32), "sha1": ("SHA1", 40), "sha256": ("SHA256", 64), "sha384": ("SHA384", 96),
    "sha512": ("SHA512", 128), "blake3": ("BLAKE3", 64), "blake2b": ("BLAKE2b-512", 128),
}  # fmt: skip
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_LOCATION = re.compile(r"(?:https?|ftp|sftp|ssh|(?:git|hg|svn|bzr)\+?[a-z]*)://\S+")


def write(bom: Bom) -> bytes:
    """Write a bill as one SPDX 2.3 document; the same bill gives the same bytes.

    What SPDX 2.3 has no field for (model cards, exploitability) stands in comments, in short; the
    CycloneDX form carries it in full.
    """
    order = [bom.subject, *sorted(bom.components, key=lambda c: (c.kind, c.name, c.version, c.ref))]
    body = {
        "packages": [_package(each) for each in order],
        "relationships": _relationships(bom, order),
        "hasExtractedLicensingInfos": _extracted(order),
    }
    digest = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bom.subject.name or "unnamed",
        "documentNamespace": f"https://spdx.org/spdxdocs/redan-{digest[:32]}",
        "creationInfo": {
            "created": bom.timestamp,
            "creators": [f"Tool: redan-{bom.tool_version}", *(f"Person: {a.name}" for a in bom.authors if a.name)],
        },
        "comment": "\n".join(bom.notes),
        **body,
    }
    return json.dumps(pruned(document), ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def identifier(ref: str) -> str:
    """Return the SPDX identifier of a component."""
    return f"SPDXRef-{sha256(visible(ref).encode()).hexdigest()[:24]}"


def _package(each: Component) -> dict[str, Any]:
    references = []
    if each.purl:
        place = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": each.purl}
        references.append(place)
    where = sorted({f"{p.uri} {p.address}".strip() for p in each.places})
    address = iri(each.url) if each.url else ""
    return {
        "SPDXID": identifier(each.ref),
        "name": each.name or "unnamed",
        "versionInfo": each.version,
        "downloadLocation": address if _LOCATION.fullmatch(address) else "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": _licence(each.licence),
        "copyrightText": "NOASSERTION",
        "checksums": _checksums(each.digests),
        "externalRefs": references,
        "primaryPackagePurpose": _PURPOSES[each.kind],
        "description": each.description,
        "sourceInfo": "found in " + ", ".join(where) if where else "",
        "comment": _comment(each.card) if each.card else "",
    }


def _checksums(digests: Iterable[str]) -> list[dict[str, str]]:
    found = []
    for digest in sorted(set(digests)):
        algorithm, _, content = digest.partition(":")
        name, length = _ALGORITHMS.get(algorithm.lower(), ("", 0))
        if length and len(content) == length and _HEXADECIMAL.fullmatch(content):
            found.append({"algorithm": name, "checksumValue": content.lower()})
    return found


def _licence(text: str) -> str:
    if not text.strip():
        return "NOASSERTION"
    return text if is_expression(text) else _reference(text)


def _reference(text: str) -> str:
    return f"LicenseRef-{sha256(visible(text).encode()).hexdigest()[:16]}"


def _extracted(order: list[Component]) -> list[dict[str, str]]:
    """Return the licences that SPDX has no identifier for, each with the words that were found."""
    texts = sorted({c.licence for c in order if c.licence.strip() and not is_expression(c.licence)})
    unique = {_reference(text): text for text in texts}
    return [{"licenseId": ref, "extractedText": text, "name": text[:80]} for ref, text in unique.items()]


def _comment(card: ModelCard) -> str:
    facts = [("task", card.task), ("architecture", card.architecture or card.family)]
    numbers = [metric.quantity for metric in card.metrics]
    facts += [(q.name, f"{q.value:.6g} [{q.low:.6g}, {q.high:.6g}]") for q in numbers]
    return "; ".join(f"{name}: {value}" for name, value in facts if value)


def _relationships(bom: Bom, order: list[Component]) -> list[dict[str, str]]:
    known = {c.ref for c in order}
    data = {c.ref for c in order if c.kind == "data"}
    found = [("SPDXRef-DOCUMENT", "DESCRIBES", identifier(bom.subject.ref))]
    for ref in sorted(known & bom.depends.keys()):
        for needed in sorted(set(bom.depends[ref]) & known):
            kind = "DATA_FILE_OF" if needed in data else "DEPENDS_ON"
            ends = (identifier(needed), identifier(ref)) if needed in data else (identifier(ref), identifier(needed))
            found.append((ends[0], kind, ends[1]))
    return [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in found]
