"""`redan data fairness`: recorded numbers by group."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from redan.cli.data import command


@pytest.fixture
def wages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 900
    sex = np.where(rng.random(n) < 0.4, "f", "m")
    region = rng.choice(["north", "south", "islands"], n, p=[0.5, 0.485, 0.015])
    fair = rng.normal(4000, 500, n)
    offered = fair + rng.normal(0, 200, n) - np.where(sex == "f", 300, 0)
    lines = [f"{s},{r},{f:.0f},{o:.0f}" for s, r, f, o in zip(sex, region, fair, offered, strict=True)]
    (tmp_path / "wages.csv").write_text("\n".join(["sex,region,fair,offered", *lines]) + "\n")
    return tmp_path


def run(*words: str):
    return CliRunner().invoke(command, ["fairness", "wages.csv", *words], standalone_mode=False)


def test_a_group_that_is_offered_less_than_its_due_is_found(wages: Path) -> None:
    ended = run(
        "--prediction", "offered", "--truth", "fair", "--sensitive", "sex", "--sensitive", "region", "-o", "r.json"
    )
    assert ended.exception is None, ended.output
    assert ended.return_value == 1
    found = {f["locations"][0]["address"]: f for f in json.loads((wages / "r.json").read_text())["findings"]}
    assert found["sex"]["severity"] == "high"
    assert found["sex"]["quantities"][0]["name"] == "error_gap"
    assert 1.2 < found["sex"]["quantities"][0]["value"] < 1.8
    assert found["region"]["severity"] == "info"
    assert "within chance" in found["region"]["title"]
    assert "islands" in found["region"]["detail"], "a small group is not tested, and that is said"
    names = {q["name"] for q in found["sex"]["quantities"]}
    assert {"answer_gap", "absolute_error_gap", "ratio_of_exposures", "top_divergence"} <= names


def test_without_truths_the_answers_themselves_are_compared(wages: Path) -> None:
    ended = run("--prediction", "offered", "--sensitive", "sex", "-o", "r.json")
    assert ended.exception is None, ended.output
    first = json.loads((wages / "r.json").read_text())["findings"][0]["quantities"][0]
    assert first["name"] == "answer_gap"
    assert 0.3 < first["value"] < 0.9


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prediction", "ofered", "--sensitive", "sex"), "offered"),
        (("--prediction", "sex", "--sensitive", "region"), "holds text"),
    ],
)
def test_columns_that_do_not_fit_are_said(wages: Path, words: tuple[str, ...], said: str) -> None:
    ended = run(*words, "-o", "r.json")
    assert ended.return_value == 3
    assert said in (wages / "r.json").read_text()
