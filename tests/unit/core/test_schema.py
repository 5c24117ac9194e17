"""The JSON Schema of a report: generated, committed, and strict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from redan.core.finding import Finding, Severity
from redan.core.policy import Policy
from redan.core.report import SCHEMA, Gate, Report, Run, Tool
from redan.core.schema import schema
from redan.core.settings import Settings
from redan.core.subject import SubjectRef

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "schema" / "redan-1.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """A small report as JSON values."""
    finding = Finding(rule="RDN-EVA-001", threat="evasion", subject="net", title="t", severity=Severity.HIGH)
    run = Run(
        command="redan check",
        seed=0,
        threads=1,
        machine="m",
        versions={},
        config_digest="",
        started="2026-01-01T00:00:00+00:00",
        wall_s=1.0,
        cpu_s=1.0,
        complete=True,
    )
    report = Report(
        tool=Tool(name="redan", version="0"),
        run=run,
        subject=SubjectRef(name="net", kind="torch"),
        gate=Gate(level=Policy().gate, verdict="fail", exit_code=1),
        findings=(finding,),
    )
    found: dict[str, Any] = json.loads(report.to_json())
    return found


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """The schema of a report, itself valid."""
    found = schema(Report, title=SCHEMA)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_committed_schema_is_the_generated_one() -> None:
    if not COMMITTED.exists():
        pytest.skip("docs/schema/redan-1.json is not written yet: make manifest")
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == schema(Report, title=SCHEMA)


def test_a_report_fits(document: dict[str, Any], validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("findings", 0, "severity"), "grave"),
        (("findings", 0, "status"), "closed"),
        (("findings", 0, "unknown"), 1),
        (("findings", 0, "quantities"), [{"name": "x", "value": 1}]),
        (("findings", 0, "params"), {"eps": [1]}),
        (("run", "seed"), "0"),
        (("run", "wall_s"), "fast"),
        (("gate", "verdict"), "maybe"),
        (("subject", "kind"), "toaster"),
    ],
    ids=str,
)
def test_the_schema_refuses(
    document: dict[str, Any], validator: jsonschema.Draft202012Validator, path: tuple[Any, ...], value: Any
) -> None:
    changed = json.loads(json.dumps(document))
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert not validator.is_valid(changed)


@pytest.mark.parametrize("lacking", ["run", "gate", "subject", "tool"])
def test_the_schema_insists_on_what_has_no_default(
    document: dict[str, Any], validator: jsonschema.Draft202012Validator, lacking: str
) -> None:
    assert not validator.is_valid({k: v for k, v in document.items() if k != lacking})


def test_payloads_and_stores_are_no_part_of_the_schema() -> None:
    found = schema(Report, title=SCHEMA)
    assert "blobs" not in found["$defs"]["Report"]["properties"]
    assert "payload" not in found["$defs"]["Evidence"]["properties"]


def test_settings_have_a_schema_too() -> None:
    jsonschema.Draft202012Validator.check_schema(schema(Settings, title="redan.toml"))


def test_a_type_without_a_schema_is_said_at_once() -> None:
    @dataclass(frozen=True)
    class Odd:
        """A record with a field that JSON has no form for."""

        place: complex

    with pytest.raises(TypeError, match="no JSON Schema for <class 'complex'>"):
        schema(Odd, title="odd")
