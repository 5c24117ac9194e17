"""The probe of licences, on folders as people have them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from redan.core.finding import Finding, Severity
from redan.core.report import Report
from redan.runner.plan import Choice
from redan.runner.scan import scan

ALLOWED = "MIT, Apache-2.0, BSD-3-Clause"


def judged(folder: Path, **params: str) -> Report:
    """Scan a folder for licences alone."""
    return scan(folder, choice=Choice(threats=("supply_chain",), probes=("licences",), params=params))


def at(report: Report, path: str) -> Finding:
    (found,) = [f for f in report.findings if any(p.uri == path for p in f.locations)]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model, two data sets, and packages."""
    folder = tmp_path / "project"
    (folder / "model").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "README.md").write_text("# prose, no card\n", encoding="utf-8")
    (folder / "model" / "README.md").write_text("---\nlicense: llama3.1\n---\n# M\n", encoding="utf-8")
    (folder / "model" / "LICENSE").write_text("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\n", encoding="utf-8")
    (folder / "data" / "README.md").write_text("---\npretty_name: D\n---\n", encoding="utf-8")
    described = {
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": ["https://spdx.org/licenses/GPL-3.0-only"],
    }
    (folder / "data" / "croissant.json").write_text(json.dumps(described), encoding="utf-8")
    a, b = ({"version": "1.0.0", "license": licence} for licence in ("AGPL-3.0-only", "MIT"))
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": a, "node_modules/b": b}}
    (folder / "package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    return folder


def test_imports_of_notebooks_are_held_against_the_allow_list(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**cell, "source": ["import numpy\n", "from ultralytics import YOLO"]}, {**cell, "source": "import mine"}]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (tmp_path / "n.ipynb").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    assert judged(tmp_path).findings == ()
    report = judged(tmp_path, licences=ALLOWED)
    told = {f.title: (f.severity, f.locations[0].address) for f in report.findings}
    assert told == {
        "n.ipynb imports ultralytics under AGPL-3.0-only: is not on the allow-list": (Severity.HIGH, "cell 1, line 2"),
        "n.ipynb imports mine under no stated licence: no licence is stated": (Severity.LOW, "cell 2, line 1"),
    }
    assert [u.path for u in report.unexamined if "imports" in u.path] == ["broken.ipynb, as imports"]


def test_without_an_allow_list_only_restrictions_of_use_are_told(project: Path) -> None:
    report = judged(project)
    assert {p.uri for f in report.findings for p in f.locations} == {"model/README.md", "model/LICENSE"}
    card = at(report, "model/README.md")
    assert (card.severity, card.confidence) == (Severity.MEDIUM, "confirmed")
    assert "llama3.1: has an acceptable use policy" in card.title
    assert at(report, "model/LICENSE").confidence == "likely"
    assert report.gate.verdict == "pass"


def test_an_allow_list_decides_about_all(project: Path) -> None:
    report = judged(project, licences=ALLOWED)
    kinds = {f.locations[0].uri: (f.params["kind"], f.severity.word) for f in report.findings}
    assert kinds == {
        "package-lock.json": ("not-allowed", "high"),
        "model/README.md": ("restricted", "high"),
        "model/LICENSE": ("restricted", "high"),
        "data/README.md": ("unknown", "low"),
        "data/croissant.json": ("not-allowed", "high"),
    }
    assert "1 package under AGPL-3.0-only: a" in at(report, "package-lock.json").title
    assert report.gate.verdict == "fail"


def test_what_was_read_is_listed_and_prose_is_not(project: Path) -> None:
    examined = {e.path: e.format for e in judged(project).examined}
    assert examined["model/LICENSE"] == "licence"
    assert "README.md" not in examined


def test_packages_of_an_environment_are_judged_together(project: Path) -> None:
    report = judged(project, licences="MIT", environment=sys.prefix)
    apache = [f for f in report.findings if f.params["licence"] == "Apache-2.0"]
    assert len(apache) == 1
    assert "packages under Apache-2.0" in apache[0].title


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "croissant.json").write_text("[" * 100_000, encoding="utf-8")
    (tmp_path / "LICENSE").write_bytes(b"x" * (2 << 20))
    report = judged(tmp_path)
    assert {u.path for u in report.unexamined} == {"croissant.json, as a licence", "LICENSE, as a licence"}
    assert judged(tmp_path, environment=str(tmp_path)).probes[0].outcome == "failed"
