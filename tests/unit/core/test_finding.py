"""Findings: fingerprints, lookups, the gate, evidence."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Status

ROBUST = Quantity(name="robust_accuracy", value=0.4, unit="fraction", n=100, low=0.3, high=0.5, better="higher")


def finding(**changes: Any) -> Finding:
    """A finding with everything in it."""
    base = Finding(
        rule="RDN-EVA-001",
        threat="evasion",
        subject="net",
        title="40 % withstand",
        severity=Severity.MEDIUM,
        params={"norm": "linf", "eps": 0.1, "steps": 7, "targeted": True, "seed": None},
        quantities=(ROBUST,),
        series=(Series(name="by_class", x=("a", "b"), y=(0.1, 0.7)),),
        locations=(Location(uri="digits", address="sample 7"), Location(uri="digits", address="sample 9")),
        evidence=(Evidence.of("adversarial", b"abc", "application/octet-stream"),),
    )
    return replace(base, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "other"},
        {"severity": Severity.CRITICAL},
        {"status": "suppressed"},
        {"confidence": "possible"},
        {"detail": "other"},
        {"quantities": (replace(ROBUST, value=0.1),)},
        {"quantities": ()},
        {"series": ()},
        {"evidence": (Evidence.of("adversarial", b"other", "text/plain"),)},
        {"references": ("cwe:502",)},
        {"remedies": ("mend it",)},
        {"params": {"seed": None, "targeted": True, "steps": 7, "eps": 0.1, "norm": "linf"}},
        {"locations": (Location(uri="digits", address="sample 9"), Location(uri="digits", address="sample 7"))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_fingerprint_ignores_what_was_measured(changes: dict[str, Any]) -> None:
    assert finding(**changes).fingerprint == finding().fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "RDN-EVA-002"},
        {"subject": "other"},
        {"params": {"norm": "l2", "eps": 0.1, "steps": 7, "targeted": True, "seed": None}},
        {"params": {"norm": "linf", "eps": 0.2, "steps": 7, "targeted": True, "seed": None}},
        {"params": {"norm": "linf", "eps": 0.1, "steps": 7, "targeted": 1, "seed": None}},
        {"params": {}},
        {"locations": (Location(uri="digits", address="sample 7"),)},
        {"locations": ()},
    ],
    ids=str,
)
def test_the_fingerprint_follows_rule_subject_params_and_locations(changes: dict[str, Any]) -> None:
    assert finding(**changes).fingerprint != finding().fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"locations": (Location(uri="a#b", address="c"),)}, {"locations": (Location(uri="a", address="b#c"),)}),
        ({"locations": (Location(uri="a#\nb#"),)}, {"locations": (Location(uri="a"), Location(uri="b"))}),
        ({"subject": "net\nx=1", "params": {}}, {"subject": "net", "params": {"x": 1}}),
        ({"params": {"x": "1"}}, {"params": {"x": 1}}),
        ({"params": {"x": None}}, {"params": {"x": "None"}}),
    ],
    ids=["hash in a name", "line break in a name", "line break in a subject", "text and number", "nothing and text"],
)
def test_a_hostile_name_cannot_borrow_another_findings_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert finding(**one).fingerprint != finding(**other).fingerprint


def test_a_fingerprint_is_16_hexadecimal_digits_even_of_undecodable_names() -> None:
    text = finding(subject="n\udc80t", locations=(Location(uri="\udcff.pkl"),)).fingerprint
    assert len(text) == 16
    assert int(text, 16) >= 0


def test_lookups_by_name() -> None:
    found = finding()
    assert found.quantity("robust_accuracy") is ROBUST
    assert found.quantity("clean_accuracy") is None
    assert found.curve("by_class") is found.series[0]
    assert found.curve("waterfall") is None
    assert found.blob("adversarial") is found.evidence[0]
    assert found.blob("triptych") is None


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("level", list(Severity))
def test_an_open_finding_gates_from_the_level_up(severity: Severity, level: Severity) -> None:
    assert finding(severity=severity).gates(level) == (severity >= level)


@pytest.mark.parametrize("status", ["suppressed", "baseline", "mitigated", "inconclusive"])
def test_only_open_findings_gate(status: Status) -> None:
    assert not finding(severity=Severity.CRITICAL, status=status).gates(Severity.INFO)


def test_severities_are_ordered_words() -> None:
    assert [s.word for s in sorted(Severity)] == ["info", "low", "medium", "high", "critical"]
    assert Severity.of("High") is Severity.HIGH
    with pytest.raises(ValueError, match="'grave' is no severity; expected info, low"):
        Severity.of("grave")


@pytest.mark.parametrize(("better", "expected"), [("higher", 0.3), ("lower", 0.5), ("neither", 0.5)])
def test_the_pessimistic_end(better: Any, expected: float) -> None:
    assert replace(ROBUST, better=better).pessimistic == expected


def test_evidence_knows_its_digest_and_loses_its_bytes_when_stored() -> None:
    blob = Evidence.of("x", b"bytes", "text/plain", "a note")
    assert blob.sha256 == sha256(b"bytes").hexdigest()
    assert blob.size_bytes == 5
    assert blob.stored().payload is None
    assert blob.stored() == blob
    assert "bytes" not in repr(blob).replace("size_bytes", "")
