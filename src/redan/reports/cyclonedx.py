"""CycloneDX 1.7 as JSON: the machine-learning bill of materials. Source: ECMA-424, second edition."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID, uuid5

from redan.reports.licences import is_expression
from redan.reports.model_cards import model_card, properties
from redan.reports.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.bom import Bom, Component, DataFacts, Party, Vulnerability

SCHEMA_URI = "http://cyclonedx.org/schema/bom-1.7.schema.json"
NAMESPACE = UUID("5b7f0c5e-6f0d-5d0e-9a54-0d9a7a5d1c37")
"""Names of our own within which serial numbers are made."""

_TYPES = {"model": "machine-learning-model"}
_ALGORITHMS = {
    "md5": ("MD5", 32), "sha1": ("SHA-1", 40), "sha256": ("SHA-256", 64), "sha384": ("SHA-384", 96),
    "sha512": ("SHA-512", 128), "sha3-256": ("SHA3-256", 64), "sha3-512": ("SHA3-512", 128),
    "blake2b": ("BLAKE2b-512", 128), "blake3": ("BLAKE3", 64),
}  # fmt: skip
_EMPTY: tuple[Any, ...] = ("", [], {}, None)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LINE = re.compile(r"(?:line|cell) (\d{1,9})")


def write(bom: Bom) -> bytes:
    """Write a bill as one JSON document; the same bill gives the same bytes.

    The serial number is made from the content without its time, so that it names what is in the bill.
    """
    body = _body(bom)
    content = json.dumps(body, sort_keys=True, ensure_ascii=True)
    metadata = {"timestamp": bom.timestamp, **body.pop("metadata")}
    document = {
        "$schema": SCHEMA_URI,
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE, content)}",
        "version": 1,
        "metadata": metadata,
        **body,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _body(bom: Bom) -> dict[str, Any]:
    order = sorted(bom.components, key=lambda c: (c.kind, c.name, c.version, c.ref))
    depends = {ref: tuple(sorted(set(needs))) for ref, needs in bom.depends.items()}
    found = {
        "metadata": {
            "lifecycles": [{"phase": bom.phase}],
            "tools": {"components": [{"type": "application", "name": "redan", "version": bom.tool_version}]},
            "authors": [_contact(each) for each in bom.authors],
            "component": component(bom.subject),
            "properties": properties(("redan:note", note) for note in bom.notes),
        },
        "components": [component(each) for each in order],
        "dependencies": [
            {"ref": ref, "dependsOn": list(depends.get(ref, ()))}
            for ref in [bom.subject.ref, *sorted(c.ref for c in order)]
        ],
        "compositions": [
            {"aggregate": "complete" if bom.complete else "incomplete", "assemblies": [bom.subject.ref]},
        ],
        "vulnerabilities": [_vulnerability(v) for v in _in_order(bom.vulnerabilities)],
        "formulation": [dict(formula) for formula in bom.formulation],
    }
    clean: dict[str, Any] = pruned(found)
    clean["components"] = clean.get("components", [])
    return clean


def _in_order(found: tuple[Vulnerability, ...]) -> list[Vulnerability]:
    unique = {repr(each): each for each in found}
    return [unique[key] for key in sorted(unique, key=lambda key: (unique[key].id, key))]


def pruned(value: Any) -> Any:
    """Leave out what is empty, and make every text visible, so that strict parsers accept the document."""
    if isinstance(value, str):
        return visible(value, keep="\n\t")
    if isinstance(value, dict):
        items = {visible(key): pruned(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in _EMPTY}
    if isinstance(value, list | tuple):
        return [item for item in map(pruned, value) if item not in _EMPTY]
    return value


def _contact(party: Party) -> dict[str, Any]:
    return {"name": party.name, "email": party.email if _EMAIL.fullmatch(party.email) else ""}


def component(each: Component) -> dict[str, Any]:
    """Return one component as the schema has it."""
    hashes, others = _hashes(each.digests)
    further = [*each.properties, *(("redan:digest", digest) for digest in others)]
    return {
        "type": _TYPES.get(each.kind, each.kind),
        "bom-ref": each.ref,
        "name": each.name or "unnamed",
        "version": each.version,
        "description": each.description,
        "scope": "" if each.required else "optional",
        "hashes": hashes,
        "licenses": licences(each.licence),
        "purl": each.purl,
        "externalReferences": _references(each),
        "evidence": _evidence(each),
        "modelCard": model_card(each.card) if each.card else {},
        "data": [_data(each, each.data)] if each.data else [],
        "properties": properties(further),
        "components": [component(part) for part in sorted(each.parts, key=lambda part: part.ref)],
    }


def _hashes(digests: Iterable[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the digests that the schema has a name for, and the others."""
    known, others = [], []
    for digest in sorted(set(digests)):
        algorithm, _, content = digest.partition(":")
        name, length = _ALGORITHMS.get(algorithm.lower(), ("", 0))
        if len(content) == length and length and _HEXADECIMAL.fullmatch(content):
            known.append({"alg": name, "content": content.lower()})
        else:
            others.append(digest)
    return known, others


def licences(text: str) -> list[dict[str, Any]]:
    """Return an SPDX expression as one, and any other words as the name of a licence."""
    if not text.strip():
        return []
    return [{"expression": text}] if is_expression(text) else [{"license": {"name": text}}]


def iri(url: str) -> str:
    """Return an address with what an IRI may not hold quoted. Source: RFC 3987, section 2.2."""
    clean = quote(url.encode("utf-8", "surrogatepass"), safe="/:?#@!$&'()*+,;=%~-._")
    clean = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", clean)
    head, mark, fragment = clean.partition("#")
    clean = head + mark + fragment.replace("#", "%23")
    # a first segment with a colon would be read as a scheme
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//[^/?#@:]+(?:[:/?#]|$)|[^/])", clean)
    return clean if scheme or ":" not in clean.partition("/")[0] else "./" + clean.lstrip("/")


def _references(each: Component) -> list[dict[str, Any]]:
    if not each.url:
        return []
    # the tool that installs writes "git+https": the address itself is behind the plus
    address = re.sub(r"^(?:git|hg|svn|bzr)\+", "", each.url)
    return [{"type": "vcs" if each.repository else "distribution", "url": iri(address)}]


def _evidence(each: Component) -> dict[str, Any]:
    if not each.places:
        return {}
    confidence = 1 if each.technique in ("manifest-analysis", "hash-comparison") else 0.9
    field = "purl" if each.purl else "hash" if each.digests else "name"
    method = {"technique": each.technique, "confidence": confidence}
    occurrences = []
    for place in dict.fromkeys(each.places):
        line = _LINE.match(place.address)
        occurrences.append(
            {
                "location": place.uri or "?",
                "line": int(line[1]) if line else None,
                "additionalContext": "" if line else place.address,
            }
        )
    return {
        "identity": [{"field": field, "confidence": confidence, "methods": [method]}],
        "occurrences": occurrences,
    }


def _data(each: Component, facts: DataFacts) -> dict[str, Any]:
    return {
        "type": "dataset",
        "name": each.name,
        "contents": {"url": iri(facts.url) if facts.url else ""},
        "classification": facts.classification,
        "sensitiveData": list(facts.sensitive),
        "description": each.description,
        "governance": {"owners": [{"organization": {"name": facts.owner}}] if facts.owner else []},
    }


def _vulnerability(each: Vulnerability) -> dict[str, Any]:
    source = {"name": each.source, "url": each.url}
    rating = {
        "score": each.score if each.score is not None and math.isfinite(each.score) else None,
        "severity": each.severity.word if each.severity is not None else "",
        "vector": each.vector,
    }
    return {
        "id": each.id,
        "source": source,
        "references": [
            {"id": alias, "source": {"name": each.source or "alias"}} for alias in sorted(set(each.aliases) - {""})
        ],
        "ratings": [rating] if pruned(rating) else [],
        "cwes": sorted({number for number in each.cwes if number > 0}),
        "description": each.description,
        "recommendation": each.recommendation,
        "analysis": {
            "state": each.state,
            "justification": each.justification if each.state == "not_affected" else "",
            "response": list(dict.fromkeys(each.responses)),
            "detail": each.detail,
        },
        "affects": [{"ref": ref} for ref in sorted(set(each.affects))],
    }
