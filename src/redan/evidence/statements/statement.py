"""in-toto Statement v1: a predicate of a declared type about resources known by digest.

Source: in-toto attestation specification v1.1, Statement layer. The bytes are canonical (sorted keys, no spaces,
ASCII), so the same statement always has the same digest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

from redan.core.errors import Unreadable, UsageError
from redan.evidence.statements.resource import Resource

TYPE = "https://in-toto.io/Statement/v1"
LARGEST_BYTES = 16 << 20
"""Of one statement; a bill of materials with ten thousand parts has about a third of that."""
MOST_SUBJECTS = 10_000
_HEX = re.compile(r"[0-9a-f]{32,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What was signed, read.

    Attributes:
        subjects: what it is about.
        predicate_type: URI with version.
        predicate: the claims.
        sha256: digest of the bytes that were signed; the name by which the statement can be revoked.
    """

    subjects: tuple[Resource, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    sha256: str


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return a document as its one possible sequence of bytes.

    Raises:
        UsageError: a number that JSON does not know, or something that is no JSON at all.
    """
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise UsageError(f"this cannot be written as JSON: {err}") from err
    return text.encode("ascii")


def statement(subjects: Sequence[Resource], predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """Return the bytes to sign.

    Args:
        subjects: what the statement is about.
        predicate_type: URI of the predicate, see ``types``.
        predicate: JSON values.

    Raises:
        UsageError: no subject, or one without a digest; a predicate that is no JSON; more than `LARGEST_BYTES`.
    """
    if not subjects or not all(s.digest for s in subjects):
        raise UsageError("a statement needs at least one subject, and each needs a digest")
    data = canonical(
        {
            "_type": TYPE,
            "subject": [{"name": s.name, "digest": dict(s.digest)} for s in subjects],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )
    if len(data) > LARGEST_BYTES:
        raise UsageError(f"the statement has {len(data)} bytes; at most {LARGEST_BYTES} can be read again")
    return data


def parse(payload: bytes) -> Statement:
    """Read a statement, strictly: what two readers could understand differently is refused.

    Raises:
        Unreadable: too large, no JSON, a key that stands twice, a number that is none, or no Statement v1.
    """
    if len(payload) > LARGEST_BYTES:
        raise Unreadable(f"the statement has {len(payload)} bytes; at most {LARGEST_BYTES} are read")
    document = strict_json(payload)
    if not isinstance(document, dict) or document.get("_type") != TYPE:
        raise Unreadable(f"this is no in-toto Statement v1: its _type is not {TYPE!r}")
    kind, predicate = document.get("predicateType"), document.get("predicate", {})
    if not isinstance(kind, str) or not isinstance(predicate, dict):
        raise Unreadable("the statement has no predicateType, or its predicate is no object")
    return Statement(
        subjects=_subjects(document.get("subject")),
        predicate_type=kind,
        predicate=predicate,
        sha256=sha256(payload).hexdigest(),
    )


def strict_json(data: bytes) -> Any:
    """Read JSON without double keys, NaN or infinities.

    Raises:
        Unreadable: it is none.
    """
    try:
        return json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as err:
        raise Unreadable(f"this is no JSON that has one meaning: {err}") from err


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:20]} is larger than any number that can be compared")
    return value


def _subjects(found: Any) -> tuple[Resource, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= MOST_SUBJECTS:
        raise Unreadable(f"the statement's subject is no list of 1 to {MOST_SUBJECTS} resources")
    return tuple(_resource(item) for item in found)


def _resource(item: Any) -> Resource:
    digest = item.get("digest") if isinstance(item, dict) else None
    if not isinstance(digest, dict) or not digest:
        raise Unreadable("a subject of the statement has no digest")
    values = {str(a): v for a, v in digest.items() if isinstance(v, str) and _HEX.fullmatch(v)}
    return Resource(name=str(item.get("name", "")), digest=values)
