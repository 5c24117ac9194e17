"""The result document: look-ups, evidence, reading and writing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redan.core.errors import ConfigError, EvidenceError, UnknownName, Unreadable, UsageError
from redan.core.finding import Evidence, Finding, Quantity, Severity
from redan.core.report import Gate, Ran, Report, Run, Tool
from redan.core.subject import SubjectRef
from redan.evidence.blobs import MemoryBlobs


def share(name: str, value: float) -> Quantity:
    """A share of a hundred."""
    return Quantity(name=name, value=value, unit="fraction", n=100, low=value, high=value, better="higher")


def finding(rule: str, *quantities: Quantity, evidence: tuple[Evidence, ...] = (), threat: str = "evasion") -> Finding:
    """A finding of a rule."""
    return Finding(
        rule=rule,
        threat=threat,
        subject="net",
        title="t",
        severity=Severity.LOW,
        quantities=quantities,
        evidence=evidence,
    )


def report(*findings: Finding, **more: Any) -> Report:
    """A report of findings."""
    run = Run(
        command="",
        seed=0,
        threads=1,
        machine="",
        versions={},
        config_digest="",
        started="",
        wall_s=0.0,
        cpu_s=0.0,
        complete=True,
    )
    return Report(
        tool=Tool(name="redan", version="0"),
        run=run,
        subject=SubjectRef(name="net", kind="torch"),
        gate=Gate(level=Severity.HIGH, verdict="pass", exit_code=0),
        findings=findings,
        **more,
    )


def test_the_one_quantity_of_a_name() -> None:
    found = report(finding("A", share("clean", 0.9)), finding("B", share("robust", 0.1)))
    assert found.quantity("robust").value == 0.1
    assert found.quantity("robust", rule="B").value == 0.1


def test_a_quantity_nobody_measured_names_those_that_were() -> None:
    with pytest.raises(UsageError, match="nothing measured 'robst'") as caught:
        report(finding("A", share("robust", 0.9), share("clean", 0.9))).quantity("robst")
    assert caught.value.hint == "this report has: clean, robust"
    with pytest.raises(UsageError) as caught:
        report().quantity("robust")
    assert caught.value.hint == "this report has: no quantities"
    with pytest.raises(UsageError):
        report(finding("A", share("robust", 0.9))).quantity("robust", rule="B")


def test_a_quantity_of_several_rules_must_be_chosen() -> None:
    found = report(finding("A", share("robust", 0.9)), finding("B", share("robust", 0.1)))
    with pytest.raises(UsageError, match="'robust' was measured by A, B"):
        found.quantity("robust")
    assert found.quantity("robust", rule="A").value == 0.9


def test_evidence_comes_back_as_what_it_stands_for() -> None:
    blob = Evidence.of("log", "größe".encode(), "text/plain; charset=utf-8")
    blobs = MemoryBlobs()
    blobs.put(blob)
    found = report(finding("A", evidence=(blob.stored(),)), blobs=blobs)
    assert found.evidence("log") == "größe"
    assert found.evidence("log", rule="A") == "größe"
    with pytest.raises(UsageError, match="no finding has evidence 'log'"):
        found.evidence("log", rule="B")
    with pytest.raises(UsageError) as caught:
        found.evidence("lgo")
    assert caught.value.hint == "this report has: log"


def test_evidence_that_is_not_at_hand_is_said() -> None:
    blob = Evidence.of("log", b"x", "text/plain").stored()
    bare = report(finding("A", evidence=(blob,)))
    with pytest.raises(EvidenceError, match=r"the report names 'log' .* and its bytes are not at hand"):
        bare.evidence("log")
    with pytest.raises(EvidenceError, match="there is no evidence"):
        replace(bare, blobs=MemoryBlobs()).evidence("log")


def test_findings_by_threat_in_the_order_of_the_probes() -> None:
    ran = Ran(probe="P", name="p", threat="privacy", outcome="ran")
    found = report(finding("A"), finding("B", threat="supply_chain"), probes=(ran,)).by_threat()
    assert {threat: [f.rule for f in rows] for threat, rows in found.items()} == {
        "privacy": [],
        "evasion": ["A"],
        "supply_chain": ["B"],
    }


def test_a_report_is_ascii_json_with_a_final_newline() -> None:
    text = report(finding("ε")).to_json()
    assert text.isascii()
    assert text.endswith(b"}\n")
    assert Report.from_json(text) == report(finding("ε"))
    assert Report.from_json(text.decode()) == report(finding("ε"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is no JSON document"),
        (b"\xff\xfe", "this is no JSON document"),
        (b"{", "this is no JSON document"),
        (b"[" * 100_000, "this is no JSON document"),
        (b"9" * 10_000, "this is no JSON document"),
        (b"null", "found schema None"),
        (b"[]", "found schema None"),
        (b"{}", "found schema None"),
        (b'{"schema": "redan/2"}', "found schema 'redan/2'"),
        (b'{"schema": "redan/1"}', "Report lacks 'tool'"),
        (b'{"schema": "redan/1", "tol": {}}', "unknown key 'tol'"),
        (b'{"schema": "redan/1", "tool": []}', "tool is list"),
        (b'{"schema": "redan/1", "findings": [{"severity": {}}]}', "severity"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_report_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Report.from_json(data)
    assert message in caught.value.message


def test_reading_a_file(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(report().to_json())
    assert Report.read(file) == report()
    with pytest.raises(Unreadable, match=r"cannot read the report .*No such file"):
        Report.read(tmp_path / "none.json")
    with pytest.raises(Unreadable, match="Is a directory"):
        Report.read(tmp_path)


def test_the_ending_chooses_the_writer(tmp_path: Path) -> None:
    assert Report.read(report().save(tmp_path / "r.json")) == report()
    with pytest.raises(UnknownName, match=r"there is no report ending named '.jsn'") as caught:
        report().save(tmp_path / "r.jsn")
    assert caught.value.hint == "did you mean '.json'?"
