from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from redan.core.finding import Severity
from redan.core.report import Gate, Report
from redan.reports import junit


def cases(report: Report) -> dict[str, ET.Element]:
    return {case.attrib["name"].split(" [")[0]: case for case in ET.fromstring(junit.write(report)).iter("testcase")}


def outcome(case: ET.Element) -> str:
    return next((e.tag for e in case if e.tag != "system-out"), "passed")


def test_every_outcome_has_its_element(report: Report) -> None:
    found = sorted((name[:11], outcome(case)) for name, case in cases(report).items())
    assert found == [
        ("RDN-BIA-001", "skipped"),
        ("RDN-EVA-001", "passed"),
        ("RDN-EVA-001", "passed"),
        ("RDN-EVA-002", "skipped"),
        ("RDN-PRI-001", "skipped"),
        ("RDN-PRI-001", "skipped"),
        ("RDN-SUP-001", "failure"),
        ("RDN-SUP-001", "passed"),
        ("RDN-SUP-002", "skipped"),
        ("RDN-SUP-003", "error"),
        ("RDN-SUP-004", "passed"),
        ("RDN-THE-001", "error"),
        ("models/lock", "skipped"),
    ]


def test_a_lower_gate_makes_more_findings_fail(report: Report) -> None:
    gate = replace(report.gate, level=Severity.LOW)
    root = ET.fromstring(junit.write(replace(report, gate=gate)))
    assert root.attrib["failures"] == "3"


def test_an_undecided_run_is_never_green(report: Report) -> None:
    gate = Gate(level=Severity.HIGH, verdict="undecided", exit_code=3, reasons=("nothing was measured",))
    empty = replace(report, gate=gate, findings=(), probes=(), unexamined=(), artifacts=())
    root = ET.fromstring(junit.write(empty))
    assert root.attrib["errors"] == "1"
    assert root.find(".//error").attrib["message"] == "nothing was measured"  # type: ignore[union-attr]  # its absence fails the test


def test_a_failure_that_no_finding_explains_is_a_failure(report: Report) -> None:
    gate = replace(report.gate, verdict="fail", reasons=("worse than the baseline",))
    root = ET.fromstring(junit.write(replace(report, gate=gate, findings=())))
    assert root.attrib["failures"] == "1"


def test_escape_sequences_are_legal_xml(report: Report) -> None:
    assert b"\x1b" not in junit.write(report)
    assert b"\\x1b[31m" in junit.write(report)
