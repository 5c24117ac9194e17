"""`redan explain-model`: explanations, a readable model, leaks and regions, in a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from redan.cli.explain_model import command

MODEL = """
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier


def forest():
    x, y = load_breast_cancer(return_X_y=True)
    return RandomForestClassifier(20, random_state=0).fit(x[:400], y[:400])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "m.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_table_is_explained_ranked_and_searched_for_leaks(folder: Path) -> None:
    words = ["m.py:forest", "--data", "breast_cancer", "--offset", "400", "--rows", "10", "-o", "why.json"]
    ended = CliRunner().invoke(command, words, standalone_mode=False)
    assert ended.exception is None, ended.output
    assert ended.return_value == 0
    report = json.loads((folder / "why.json").read_text())
    assert {f["rule"] for f in report["findings"]} == {"RDN-POI-030", "RDN-OPA-001", "RDN-OPA-002"}
    assert all(p["outcome"] == "ran" for p in report["probes"])


def test_only_what_is_named_runs(folder: Path) -> None:
    words = ["m.py:forest", "--data", "breast_cancer", "--offset", "400", "--probe", "surrogate", "-o", "why.json"]
    ended = CliRunner().invoke(command, words, standalone_mode=False)
    assert ended.exception is None, ended.output
    assert {f["rule"] for f in json.loads((folder / "why.json").read_text())["findings"]} == {"RDN-OPA-002"}
