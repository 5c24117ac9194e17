"""`redan attack --sensitive` and `redan harden --against bias` as a user types them, on a small table of people."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.small_people import COLUMNS, people

MODEL = """
import numpy as np
from sklearn.linear_model import LogisticRegression


def model():
    table = np.genfromtxt(__file__.replace("model.py", "train.csv"), delimiter=",", skip_header=1, usecols=range(6))
    return LogisticRegression().fit(table[:, :4], table[:, 5].astype(int))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model of people beside two tables of them, with a column of words and one that is no input."""
    for name, seed in (("train", 2), ("test", 1)):
        data = people(seed, 4000)
        with (tmp_path / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*COLUMNS, "number", "label", "region"])
            for i, row in enumerate(data.x.tolist()):
                writer.writerow([*row, i, int(data.y[i]), data.groups["region"][i]])
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


WORDS = ("model.py:model", "--data", "test.csv", "--label", "label", "--aside", "number", "-q")


def test_sensitive_columns_are_measured_and_a_gap_fails_the_gate(cli: Cli, project: Path) -> None:
    words = ("--sensitive", "male", "--sensitive", "region", "--threat", "bias", "--format", "json")
    ended = cli("attack", *WORDS, *words)
    assert ended.code == 1, ended.err
    report = json.loads(ended.out)
    found = {(f["rule"], f["locations"][0]["address"]): f for f in report["findings"]}
    assert found["RDN-BIA-004", "male"]["severity"] == "high"
    assert found["RDN-BIA-001", "region"]["severity"] == "info"
    assert ("RDN-BIA-004", "region") not in found


def test_hardening_tells_the_gap_before_and_after(cli: Cli, project: Path) -> None:
    more = ("--sensitive", "male", "--aside", "region", "--train", "train.csv", "--mitigation", "threshold-optimiser")
    ended = cli("harden", *WORDS, *more, "--against", "bias", "--gate", "critical", "--format", "json")
    assert ended.code == 0, ended.err
    rules = {finding["rule"] for finding in json.loads(ended.out)["findings"]}
    assert "RDN-BIA-100" in rules


def test_a_column_that_is_not_there_is_named(cli: Cli, project: Path) -> None:
    ended = cli("attack", *WORDS, "--sensitive", "mael", "--threat", "bias")
    assert ended.code == 2
    assert "male" in ended.err
