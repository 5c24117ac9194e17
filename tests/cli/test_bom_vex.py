"""From a scan to statements, and from statements back to a scan and a bill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OSV = Path(__file__).parents[1] / "unit" / "kernels" / "advisories" / "osv.jsonl"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two vulnerable packages, one of whose risks is accepted."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "requirements.txt").write_text("torch==2.5.1+cu121\nmlflow==2.0.0\n", encoding="utf-8")
    return tmp_path / "p"


def scanned(cli, project: Path, *words: object) -> dict:
    done = cli("scan", project, "--probe", "vulnerabilities", "--osv", OSV, "-f", "json", *words)
    (project.parent / "r.json").write_text(done.out, encoding="utf-8")
    return {f["params"]["vulnerability"]: f for f in json.loads(done.out)["findings"] if f["rule"] == "RDN-SUP-026"}


def stated(cli, project: Path) -> dict:
    done = cli("bom", "vex", project.parent / "r.json", "--author", "Ada", "-o", project.parent / "v.json")
    assert done.code == 0, done.err
    return json.loads((project.parent / "v.json").read_text(encoding="utf-8"))


def test_what_nobody_judged_is_under_investigation(cli, project: Path) -> None:
    scanned(cli, project)
    document = stated(cli, project)
    assert (document["@context"], document["author"]) == ("https://openvex.dev/ns/v0.2.0", "Ada")
    assert [(s["vulnerability"]["name"], s["status"]) for s in document["statements"]] == [
        ("CVE-2023-6909", "under_investigation"),
        ("CVE-2025-32434", "under_investigation"),
    ]
    assert document["statements"][1]["products"][0]["@id"] == "pkg:pypi/torch@2.5.1%2Bcu121"
    assert scanned(cli, project, "--param", f"vex={project.parent / 'v.json'}")["CVE-2025-32434"]["status"] == "open"


def test_a_judgement_goes_round_and_into_the_bill(cli, project: Path) -> None:
    scanned(cli, project)
    document = stated(cli, project)
    reasons = {
        "justification": "vulnerable_code_not_in_execute_path",
        "impact_statement": "only safetensors: no pickle",
    }
    document["statements"][1] |= {"status": "not_affected", **reasons}
    vex = project.parent / "mine.json"
    vex.write_text(json.dumps(document), encoding="utf-8")
    found = scanned(cli, project, "--param", f"vex={vex}")
    assert found["CVE-2025-32434"]["status"] == "suppressed"
    assert found["CVE-2023-6909"]["status"] == "open"
    again = stated(cli, project)["statements"][1]
    assert again["timestamp"] == f"{document['timestamp'][:10]}T00:00:00Z", "to repeat is not to judge again"
    assert {name: again[name] for name in ("status", *reasons)} == {"status": "not_affected", **reasons}
    done = cli("bom", "make", project, "--osv", OSV, "--vex", vex, "-o", project.parent / "b.json")
    assert done.code == 0, done.err
    assert "2 of 2 packages of PyPI compared, newest record 2026-11-19" in done.err
    bill = json.loads((project.parent / "b.json").read_text(encoding="utf-8"))
    known = {v["id"]: v for v in bill["vulnerabilities"]}
    assert known["CVE-2025-32434"]["analysis"]["state"] == "not_affected"
    assert known["CVE-2025-32434"]["analysis"]["justification"] == "code_not_reachable"
    assert known["CVE-2023-6909"]["analysis"] == {"state": "in_triage", "response": ["update"]}
    assert known["CVE-2023-6909"]["ratings"][0]["score"] == 7.5
    assert known["CVE-2023-6909"]["recommendation"] == "Upgrade mlflow to 2.9.2 or later."
    assert cli("bom", "validate", project.parent / "b.json").code == 0
    assert (
        scanned(cli, project, "--param", f"vex={project.parent / 'b.json'}")["CVE-2025-32434"]["status"] == "suppressed"
    )


def test_an_accepted_risk_is_affected_and_not_harmless(cli, project: Path) -> None:
    (project.parent / "redan.toml").write_text(
        '[[ignore]]\nrule = "RDN-SUP-026"\nreason = "closed network"\nexpires = "2999-01-01"\n', encoding="utf-8"
    )
    scanned(cli, project)
    statement = stated(cli, project)["statements"][0]
    assert (statement["status"], statement["action_statement"]) == (
        "affected",
        "accepted until 2999-01-01: closed network",
    )


def test_statements_without_a_dump_are_a_usage_error(cli, project: Path) -> None:
    assert cli("bom", "make", project, "--vex", "v.json").code == 2
