"""Predicate types: what a statement says, named by a URI that carries its version.

Where in-toto or SLSA has a standard type, that one is used; all others lie below one base of ours. A short kind
(``robustness``) stands for the URI in policies and on the command line. A changed meaning gets a new version, and a
reader knows exactly the versions listed here.
"""

from __future__ import annotations

import re

BASE = "https://github.com/redan-security/redan/predicates"
PROVENANCE = "https://slsa.dev/provenance/v1"
BOM = "https://cyclonedx.org/bom"
APPROVAL = f"{BASE}/approval/v1"
REVOCATION = f"{BASE}/revocation/v1"

_STANDARD = {"provenance": PROVENANCE, "bom": BOM}
_OF_THREATS = {"supply_chain": "scan", "evasion": "robustness", "bias": "fairness"}
KINDS = ("scan", "robustness", "privacy", "fairness", "poisoning", "theft", "injection", *_STANDARD, "approval")
"""What Redan itself states; the measurements of a plugin's threat are stated under the threat's own name."""
_TAKEN = frozenset({*_STANDARD, *_OF_THREATS.values(), "approval", "revocation"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def type_of(kind: str) -> str:
    """Return the predicate type of a kind."""
    return _STANDARD.get(kind) or f"{BASE}/{kind}/v1"


def kind_of(predicate_type: str) -> str:
    """Return the short kind of a predicate type; a type that this version does not know stands for itself."""
    for kind, known in _STANDARD.items():
        if predicate_type == known:
            return kind
    kind = predicate_type.removeprefix(f"{BASE}/").removesuffix("/v1")
    return kind if type_of(kind) == predicate_type else predicate_type


def kind_of_threat(threat: str) -> str:
    """Return the kind of statement that the measurements of a threat become; empty where its name cannot be one.

    A threat of a plugin must not pass for another kind: a report would then make an approval or a revocation.
    """
    if threat in _OF_THREATS:
        return _OF_THREATS[threat]
    return threat if _NAME.fullmatch(threat) and threat not in _TAKEN else ""
