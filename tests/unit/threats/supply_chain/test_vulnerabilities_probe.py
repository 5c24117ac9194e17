"""The probe of known vulnerabilities, on requirements as people have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from redan.core.finding import Finding, Severity
from redan.core.report import Report
from redan.runner.plan import Choice
from redan.runner.scan import scan

OSV = Path(__file__).parents[2] / "kernels" / "advisories" / "osv.jsonl"


def judged(folder: Path, **params: object) -> Report:
    """Scan a folder for known vulnerabilities alone."""
    words = {name: str(value) for name, value in params.items()}
    return scan(folder, choice=Choice(threats=("supply_chain",), probes=("vulnerabilities",), params=words))


def known(report: Report) -> dict[str, Finding]:
    return {str(f.params["vulnerability"]): f for f in report.findings if "vulnerability" in f.params}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an old torch and much that is not vulnerable."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.txt").write_text("numpy\ntorch==2.5.1+cu121\npillow==9.0\nredis==4.0\n", encoding="utf-8")
    return folder


def vex(folder: Path, **statement: object) -> Path:
    """Write an OpenVEX document with one statement about torch."""
    now = datetime.now(UTC).isoformat()
    said = {"vulnerability": {"name": "CVE-2025-32434"}, "products": [{"@id": "pkg:pypi/torch"}],
            "timestamp": now, **statement}  # fmt: skip
    document = {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": now, "statements": [said]}
    (folder / "vex.json").write_text(json.dumps(document), encoding="utf-8")
    return folder / "vex.json"


def test_a_vulnerable_version_is_found_at_its_line_with_the_way_out(project: Path) -> None:
    report = judged(project, osv=OSV)
    assert set(known(report)) == {"CVE-2025-32434", "PYSEC-2023-175"}
    torch = known(report)["CVE-2025-32434"]
    assert (torch.severity, torch.confidence, torch.status) == (Severity.CRITICAL, "confirmed", "open")
    assert [(p.uri, p.address) for p in torch.locations] == [("requirements.txt", "line 2")]
    assert torch.remedies == ("Upgrade torch to 2.6.0 or later.",)
    assert "cwe:502" in torch.references
    assert report.gate.verdict == "fail"
    unknown = known(report)["PYSEC-2023-175"]
    assert (unknown.severity, "severity unknown" in unknown.title) == (Severity.MEDIUM, True)


def test_what_was_compared_with_which_data_is_said_and_what_was_not_is_named(project: Path) -> None:
    report = judged(project, osv=OSV)
    (compared,) = [f for f in report.findings if f.rule == "RDN-SUP-025"]
    assert "3 versions compared with 9 records (newest record of 2026-11-19" in compared.title
    quantity = compared.quantity("vulnerable_versions")
    assert quantity is not None
    assert (quantity.value, quantity.n) == (2, 3)
    assert [(u.path, u.why.partition(":")[0]) for u in report.unexamined] == [
        ("requirements.txt, known vulnerabilities", "numpy")
    ]


def test_old_data_are_called_old(project: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    long_ago = (datetime.now(UTC) - timedelta(days=45)).isoformat()
    rows = [json.loads(row) for row in OSV.read_text(encoding="utf-8").splitlines()]
    old.write_text("".join(json.dumps({**row, "modified": long_ago}) + "\n" for row in rows), encoding="utf-8")
    (compared,) = [f for f in judged(project, osv=old).findings if f.rule == "RDN-SUP-025"]
    assert (compared.severity, "the data is 45 days old" in compared.title) == (Severity.LOW, True)


def test_without_a_dump_it_is_skipped_and_never_clean(project: Path) -> None:
    report = judged(project)
    assert [(p.outcome, "--osv PATH" in p.why) for p in report.probes] == [("skipped", True)]
    assert report.gate.exit_code == 3


def test_a_dump_that_cannot_be_read_is_a_failure(project: Path) -> None:
    report = judged(project, osv=project / "absent.zip")
    assert report.probes[0].outcome == "failed"
    assert report.gate.exit_code == 3


def test_what_is_installed_gives_the_versions_that_requirements_leave_open(project: Path, tmp_path: Path) -> None:
    (project / "requirements.txt").write_text("keras>=3\n", encoding="utf-8")
    installed = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "keras-3.8.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: keras\nVersion: 3.8.0\n\n", encoding="utf-8")
    report = judged(project, osv=OSV, environment=tmp_path / "env")
    (keras,) = known(report).values()
    assert keras.locations[0].uri == "environment/keras-3.8.0.dist-info"
    assert not report.unexamined
    assert judged(project, osv=OSV, environment=project).probes[0].outcome == "failed"


def test_where_there_are_no_packages_nothing_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("words", encoding="utf-8")
    assert judged(tmp_path).probes[0].outcome == "ran"


@pytest.mark.parametrize(
    "statement",
    [
        {"status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"},
        {"status": "not_affected", "impact_statement": "only our own files are loaded"},
        {"status": "fixed"},
        {"status": "not_affected", "justification": "x", "vulnerability": {"name": "PYSEC-2025-41"}},
        {"status": "fixed", "products": [{"@id": "app", "subcomponents": [{"@id": "pkg:pypi/Torch@2.5.1%2Bcu121"}]}]},
    ],
)
def test_a_statement_sets_a_finding_aside_visibly(project: Path, statement: dict[str, object]) -> None:
    report = judged(project, osv=OSV, vex=vex(project.parent, **statement))
    torch = known(report)["CVE-2025-32434"]
    assert torch.status == "suppressed"
    assert torch.suppression is not None
    assert torch.suppression.reason.startswith(str(statement["status"]))
    assert torch.suppression.source == "VEX vex.json"
    assert known(report)["PYSEC-2023-175"].status == "open"


@pytest.mark.parametrize(
    "statement",
    [
        {"status": "under_investigation"},
        {"status": "affected", "action_statement": "upgrade"},
        {"status": "not_affected"},
        {"status": "not_affected", "justification": "x", "timestamp": "2020-01-01T00:00:00Z"},
        {"status": "not_affected", "justification": "x", "timestamp": "9999-12-31T00:00:00Z"},
        {"status": "not_affected", "justification": "x", "products": [{"@id": "pkg:pypi/torch@2.4.0"}]},
        {"status": "not_affected", "justification": "x", "products": [{"@id": "pkg:npm/torch"}]},
        {"status": "not_affected", "justification": "x", "vulnerability": {"name": "CVE-2022-45907"}},
    ],
    ids=["looking", "affected", "no reason", "expired", "future", "other version", "other ecosystem", "other number"],
)
def test_a_statement_that_does_not_cover_leaves_the_finding_open(project: Path, statement: dict[str, object]) -> None:
    report = judged(project, osv=OSV, vex=vex(project.parent, **statement))
    assert known(report)["CVE-2025-32434"].status == "open"


def test_analyses_of_a_bill_are_statements_too(project: Path) -> None:
    bill = {
        "bomFormat": "CycloneDX", "metadata": {"timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"},
        "components": [{"bom-ref": "t", "purl": "pkg:pypi/torch@2.5.1%2Bcu121"}],
        "vulnerabilities": [{"id": "CVE-2025-32434", "affects": [{"ref": "t"}], "analysis": {
            "state": "not_affected", "justification": "code_not_reachable", "detail": "no loading"}}],
    }  # fmt: skip
    (project.parent / "b.json").write_text(json.dumps(bill), encoding="utf-8")
    torch = known(judged(project, osv=OSV, vex=project.parent / "b.json"))["CVE-2025-32434"]
    assert torch.suppression is not None
    assert torch.suppression.reason == "not_affected: code_not_reachable: no loading"


@pytest.mark.parametrize("text", ["no", "[]", "{}", "[" * 100_000])
def test_what_is_no_vex_document_is_a_failure(project: Path, text: str) -> None:
    (project.parent / "v.json").write_text(text, encoding="utf-8")
    assert judged(project, osv=OSV, vex=project.parent / "v.json").probes[0].outcome == "failed"
