"""Text classifiers as a user meets them: attack, verify the evidence, harden."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import joblib
import pytest
from tests.cli.conftest import Cli
from tests.small_texts import CLASSES, pipeline, text_rows

QUICK = ("--param", "plan=quick", "--param", "share=0.5")
"""Texts of ten words, three of them telling: half of them may change."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipeline and two tables of texts."""
    monkeypatch.chdir(tmp_path)
    joblib.dump(pipeline(), "model.joblib")
    for name, start, stop in (("train", 0, 160), ("test", 1000, 1060)):
        rows = text_rows(start, stop)
        with Path(f"{name}.csv").open("w", newline="") as stream:
            labels = [CLASSES[label] for label in rows.y]
            csv.writer(stream).writerows([("text", "label"), *zip(rows.x, labels, strict=True)])
    return tmp_path


def run_of(project: Path) -> Path:
    """The folder of the only run."""
    return next(path for path in (project / ".redan" / "runs").iterdir() if (path / "report.json").is_file())


def test_a_text_classifier_is_attacked_and_its_evidence_verified(cli: Cli, project: Path) -> None:
    done = cli("attack", "model.joblib", "--data", "test.csv", *QUICK)
    assert "texts withstand text-characters" in done.out
    assert "works on numbers" in done.out  # privacy, which no probe for texts measures
    assert "cascade" not in done.out  # evasion is measured, so probes for another kind of model leave no gap
    run = run_of(project)
    held = cli("verify-evidence", str(run))
    assert held.code == 0
    assert "keep the limit of words and are misclassified" in " ".join(held.out.split())


def test_evidence_that_changes_more_than_was_allowed_is_broken(cli: Cli, project: Path) -> None:
    cli("attack", "model.joblib", "--data", "test.csv", *QUICK)
    run = run_of(project)
    report = json.loads((run / "report.json").read_text())
    finding = next(f for f in report["findings"] if f["rule"] == "RDN-EVA-035")
    finding["params"]["words"] = 1
    (run / "report.json").write_text(json.dumps(report))
    held = cli("verify-evidence", str(run))
    assert held.code == 1
    assert "1 were allowed" in " ".join(held.out.split())


def test_normalisation_is_measured_before_and_after(cli: Cli, project: Path) -> None:
    given = ("harden", "model.joblib", "--data", "test.csv", "--train", "train.csv")
    done = cli(*given, "--mitigation", "text-normalisation", *QUICK, "--format", "json")
    finding = next(f for f in json.loads(done.out)["findings"] if f["rule"] == "RDN-EVA-100")
    gain = next(q for q in finding["quantities"] if q["name"] == "robust_accuracy_gain")
    assert gain["value"] > 20
    assert done.code == 0
