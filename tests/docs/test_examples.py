"""The examples run as their text says, each in a copy of its folder and in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REDAN = [sys.executable, "-m", "redan.cli.__main__"]


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one example, without what earlier runs left in it."""
    return shutil.copytree(EXAMPLES / request.param, tmp_path / request.param, ignore=shutil.ignore_patterns(".*"))


def run(words: list[str], folder: Path, expected: int = 0, environment: dict[str, str] | None = None) -> str:
    """Run a command, insist on its exit code and return its standard output."""
    still = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "80"}
    variables = os.environ | still | (environment or {})
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=variables)
    assert done.returncode == expected, f"{done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def robust(report: dict) -> tuple[float, float, int]:
    """Return the robust accuracy of a report as value, low end and sample size."""
    (found,) = (q for f in report["findings"] for q in f["quantities"] if q["name"] == "robust_accuracy")
    return found["value"], found["low"], found["n"]


@pytest.mark.parametrize("copied", ["digits"], indirect=True)
def test_digits_weak_fails_and_hardened_passes(copied: Path) -> None:
    run([sys.executable, "train.py"], copied)
    weak = json.loads(run([*REDAN, "check", "--quick", "--format", "json"], copied / "weak", expected=1))
    hardened = json.loads(run([*REDAN, "check", "--quick", "--format", "json"], copied / "hardened", expected=0))
    assert weak["gate"]["verdict"] == "fail"
    assert hardened["gate"]["verdict"] == "pass"
    assert robust(weak)[0] < 0.1
    assert robust(hardened)[1] > 0.35
    assert robust(weak)[2] == robust(hardened)[2] >= 200
    for report in (weak, hardened):
        assert {artifact["verdict"] for artifact in report["artifacts"]} == {"safe"}


@pytest.mark.parametrize("copied", ["tabular"], indirect=True)
@pytest.mark.parametrize("model", ["logistic", "boosted"])
def test_tabular_models_are_measured(copied: Path, model: str) -> None:
    run([sys.executable, "train.py"], copied)
    done = subprocess.run(
        [*REDAN, "check", "--quick", "--format", "json"],
        cwd=copied / model,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    value, low, n = robust(report)
    assert 0 <= low <= value < 0.95
    assert n >= 30
    assert [artifact["verdict"] for artifact in report["artifacts"]] == ["safe"]


@pytest.mark.parametrize("copied", ["hostile"], indirect=True)
def test_the_hostile_pickle_is_found_and_never_run(copied: Path) -> None:
    run([sys.executable, "make.py"], copied)
    report = json.loads(run([*REDAN, "scan", ".cache/downloads", "--format", "json"], copied, expected=1))
    verdicts = {Path(artifact["path"]).name: artifact["verdict"] for artifact in report["artifacts"]}
    assert verdicts == {"honest.pkl": "safe", "hostile.pkl": "unsafe"}
    (finding,) = report["findings"]
    assert "system" in finding["title"]
    assert run([*REDAN, "scan", ".cache/downloads/honest.pkl"], copied, expected=0)


@pytest.mark.parametrize("copied", ["hostile"], indirect=True)
def test_the_documents_show_what_the_scan_prints(copied: Path) -> None:
    run([sys.executable, "make.py"], copied)
    printed = run([*REDAN, "scan", ".cache/downloads"], copied, expected=1)
    shown = (EXAMPLES.parent / "docs" / "quickstart.md").read_text(encoding="utf-8")
    transcript = shown.partition("$ redan scan .cache/downloads\n")[2].partition("\n```")[0]
    assert printed.startswith(transcript)
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    short = readme.partition("$ redan scan .cache/downloads")[2].partition("\n```")[0].splitlines()[1:]
    assert short
    assert [line for line in short if line not in printed.splitlines()] == []


@pytest.mark.parametrize("copied", ["plugin"], indirect=True)
def test_the_plugin_keeps_the_promises_of_a_probe(copied: Path) -> None:
    settings = EXAMPLES.parent / "pyproject.toml"
    words = [sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir", str(copied), "test_redan_margin.py"]
    done = subprocess.run(
        words, cwd=copied, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": search(copied)}
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


def search(folder: Path) -> str:
    """Return a PYTHONPATH with a folder before what this process already searches by it."""
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))


@pytest.mark.parametrize("copied", ["plugin"], indirect=True)
def test_an_installed_plugin_runs_only_when_it_is_allowed(copied: Path) -> None:
    metadata = copied / "redan_margin-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: redan-margin\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("[redan.plugins]\nmargin = redan_margin\n")
    (copied / "model.py").write_text(
        "import torch\n\n\ndef build():\n"
        "    net = torch.nn.Linear(30, 2)\n    torch.nn.init.zeros_(net.weight)\n    return net\n"
    )
    settings = '[model]\ntarget = "model.py:build"\n\n[data]\ntest = "breast_cancer"\n\n[attack]\nprobes = ["margin"]\n'
    environment = {"PYTHONPATH": search(copied)}
    (copied / "redan.toml").write_text(settings)
    assert "margin" not in run([*REDAN, "list", "probes"], copied, environment=environment)
    run([*REDAN, "check", "--format", "json"], copied, expected=2, environment=environment)
    (copied / "redan.toml").write_text(settings + '\n[plugins]\nallow = ["redan-margin"]\n')
    assert "margin" in run([*REDAN, "list", "probes"], copied, environment=environment)
    report = json.loads(run([*REDAN, "check", "--format", "json"], copied, environment=environment))
    assert [finding["rule"] for finding in report["findings"]] == ["ACME-EVA-001"]
