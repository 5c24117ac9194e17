"""The probe of dependencies, on folders as people have them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from redan.core.finding import Finding, Severity
from redan.core.report import Report
from redan.runner.plan import Choice
from redan.runner.scan import scan


def judged(folder: Path) -> Report:
    """Scan a folder for dependencies alone."""
    return scan(folder, choice=Choice(threats=("supply_chain",), probes=("dependencies",)))


def rules(report: Report) -> list[str]:
    return sorted({f.rule for f in report.findings})


def one(report: Report, rule: str) -> Finding:
    (found,) = [f for f in report.findings if f.rule == rule]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose requirements are weak in several ways."""
    (tmp_path / "requirements.txt").write_text(
        "--extra-index-url https://user:hunter2@mine/simple\nnumpy\ntorch>=2\nscipy==1.10\n"
        "mine @ git+https://host/mine.git@main\n",
        encoding="utf-8",
    )
    (tmp_path / "weights.txt").write_text("numpy\n", encoding="utf-8")
    return tmp_path


def test_each_weak_point_has_its_rule_and_line(project: Path) -> None:
    report = judged(project)
    assert rules(report) == ["RDN-SUP-021", "RDN-SUP-022", "RDN-SUP-023"]
    opened = one(report, "RDN-SUP-021")
    assert opened.severity is Severity.LOW
    assert [place.address for place in opened.locations] == ["line 2", "line 3"]
    assert "numpy, torch" in opened.title
    assert one(report, "RDN-SUP-022").locations[0].address == "line 5"


def test_a_further_index_gates_and_its_password_is_shown_nowhere(project: Path) -> None:
    report = judged(project)
    assert one(report, "RDN-SUP-023").severity is Severity.HIGH
    assert report.gate.exit_code == 1
    assert b"hunter2" not in report.to_json()


def test_what_was_read_is_examined_and_other_files_are_not(project: Path) -> None:
    assert [(e.path, e.format) for e in judged(project).examined] == [("requirements.txt", "requirements")]


def test_what_could_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("[[[", encoding="utf-8")
    (tmp_path / "requirements.txt").write_text("a==1\nnot a requirement\n-r ../outside.txt\n", encoding="utf-8")
    os.mkfifo(tmp_path / "Pipfile.lock")
    left = {u.path: u.why for u in judged(tmp_path).unexamined}
    assert "no TOML" in left["uv.lock, as dependencies"]
    assert "no requirement" in left["requirements.txt, line 2"]
    assert "not here" in left["requirements.txt, line 3"]
    assert left["Pipfile.lock, as dependencies"] == "no regular file"


def test_an_included_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r more/list.lst\n-c more/bounds.lst\n", encoding="utf-8")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/list.lst").write_text("numpy\ntorch\n-r ../requirements.txt\n", encoding="utf-8")
    (tmp_path / "more/bounds.lst").write_text("torch==2\n", encoding="utf-8")
    found = one(judged(tmp_path), "RDN-SUP-021")
    assert found.title == "more/list.lst: 1 dependency without an upper bound: numpy"


def test_setup_py_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "setup.py").write_text(f"open({str(trap)!r}, 'w')\nsetup(install_requires=['a'])\n", encoding="utf-8")
    assert rules(judged(tmp_path)) == ["RDN-SUP-021"]
    assert not trap.exists()


def test_a_notebook_without_installs_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": []}), encoding="utf-8")
    report = judged(tmp_path)
    assert (report.examined, report.findings) == ((), ())


def test_a_project_with_hashes_and_a_lock_is_clean(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("numpy\n", encoding="utf-8")
    text = f"--extra-index-url https://mine/simple\nnumpy==1.26.4 --hash=sha256:{'a' * 64}\n"
    (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")
    assert judged(tmp_path).findings == ()


def test_a_name_that_is_nearly_a_well_known_one_fails_the_gate(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torchvison==0.2\ninner==999.9.9\nsklearn==0.0\n", encoding="utf-8")
    report = judged(tmp_path)
    found = {f.params["name"]: f for f in report.findings if f.rule == "RDN-SUP-027"}
    assert found["torchvison"].title == "torchvison is one slip away from the well-known torchvision"
    assert found["torchvison"].locations[0].address == "line 1"
    assert (found["inner"].severity, found["sklearn"].severity) == (Severity.HIGH, Severity.LOW)
    assert report.gate.verdict == "fail"
