"""Every exit code of the design, reached the way a user reaches it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

LINEAR = ("--bounds", 0, 1, "--norm", "linf")


def test_clean_file_is_0(cli: Cli, benign: Path) -> None:
    assert cli("scan", benign).code == 0


def test_hostile_file_is_1(cli: Cli, hostile: Path) -> None:
    ended = cli("scan", hostile)
    assert ended.code == 1
    assert "os.system" in ended.out or "posix.system" in ended.out


def test_gate_decides(cli: Cli, net: Path, data: Callable[..., Path]) -> None:
    words = ("attack", f"{net}:three", "--data", data(3), *LINEAR, "--threat", "evasion")
    assert cli(*words, "--eps", 0.01).code == 0
    assert cli(*words, "--eps", 0.6).code == 1
    assert cli(*words, "--eps", 0.01, "--gate", "info").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("chekc",),
        ("scan",),
        ("scan", "--no-such-flag", "x"),
        ("attack", "x.py:f", "--norm", "l7"),
        ("attack", "x.py:f", "--budget", "soon"),
        ("explain", "RDN-XXX-999"),
        ("list", "nonsense"),
        ("init", "no-such-folder"),
        ("check", "--config", "broken.toml"),
        ("check", "--config", "unknown.toml"),
        ("diff", "no.json", "such.json"),
    ],
)
def test_wrong_words_are_2(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "broken.toml").write_text("[gate\nlevel = 1", encoding="utf-8")
    (tmp_path / "unknown.toml").write_text("[gate]\nlevle = 'high'\n", encoding="utf-8")
    ended = cli(*words)
    # a report that does not exist could not be read: nothing can be decided about it
    assert ended.code == (3 if words[0] == "diff" else 2)
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert ended.err.strip()


def test_no_configuration_is_2(cli: Cli) -> None:
    ended = cli("check")
    assert ended.code == 2
    assert "redan init" in ended.err


def test_unknown_key_names_the_nearest(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "redan.toml").write_text("[gate]\nlevle = 'high'\n", encoding="utf-8")
    assert "'level'" in cli("check").err


def test_unknown_variable_names_the_nearest(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "redan.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("REDAN_GATE_LEVLE", "high")
    ended = cli("check")
    assert ended.code == 2
    assert "REDAN_GATE_LEVEL" in ended.err


@pytest.mark.parametrize("what", ["missing.pkl", "empty", "plot.png", "cut.pkl"])
def test_nothing_decided_is_3(cli: Cli, tmp_path: Path, benign: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "plot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    (tmp_path / "cut.pkl").write_bytes(benign.read_bytes()[:-4])
    ended = cli("scan", what)
    assert ended.code == 3
    assert "Traceback" not in ended.err
    assert "PASS" not in ended.out


def test_unreadable_file_is_3(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # root may read everything, so the file lies behind a link to itself, which nobody can open
    (tmp_path / "loop.pkl").symlink_to(tmp_path / "loop.pkl")
    assert cli("scan", tmp_path / "loop.pkl").code == 3


def test_found_wins_over_undecided(cli: Cli, tmp_path: Path, hostile: Path, benign: Path) -> None:
    (tmp_path / "cut.pkl").write_bytes(benign.read_bytes()[:-4])
    assert cli("scan", tmp_path).code == 1


@pytest.mark.parametrize(
    ("factory", "code", "says"),
    [
        ("raises", 3, "on fire"),
        ("nan", 3, "NaN"),
        ("no_model", 2, "is no model"),
        ("absent", 2, "absent"),
    ],
)
def test_a_model_that_fails(cli: Cli, net: Path, data: Callable[..., Path], factory: str, code: int, says: str) -> None:
    ended = cli("attack", f"{net}:{factory}", "--data", data(3), *LINEAR, "--eps", 0.1)
    assert ended.code in (2, 3)
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_nan_inputs_are_3(cli: Cli, net: Path, data: Callable[..., Path]) -> None:
    x = np.full((30, 4), 0.5, np.float32)
    x[7, 2] = np.nan
    ended = cli("attack", f"{net}:three", "--data", data(3, x=x), *LINEAR, "--eps", 0.1)
    assert ended.code == 3
    assert "NaN" in ended.err or "nan" in ended.err


def test_wrong_shapes_are_3(cli: Cli, net: Path, data: Callable[..., Path]) -> None:
    x = np.full((30, 5), 0.5, np.float32)
    ended = cli("attack", f"{net}:three", "--data", data(3, x=x), *LINEAR, "--eps", 0.1)
    assert ended.code == 3
    assert "shape" in ended.err.lower() or "(30, 5)" in ended.err or "(8, 5)" in ended.err


@pytest.mark.parametrize(("factory", "classes"), [("two", 2), ("three", 3), ("one_logit", 2)])
def test_few_classes(cli: Cli, net: Path, data: Callable[..., Path], factory: str, classes: int) -> None:
    words = ("attack", f"{net}:{factory}", "--data", data(classes), *LINEAR, "--format", "json")
    mild = json.loads(cli(*words, "--eps", 0.01).out)
    harsh = json.loads(cli(*words, "--eps", 0.6).out)

    def robust(report: dict) -> float:
        found = next(f for f in report["findings"] if f["rule"] == "RDN-EVA-001")
        return next(q["value"] for q in found["quantities"] if q["name"] == "robust_accuracy")

    assert robust(mild) > 0.9
    assert robust(harsh) == 0


def test_a_spent_budget_is_3(cli: Cli, net: Path, data: Callable[..., Path]) -> None:
    ended = cli("attack", f"{net}:three", "--data", data(3), *LINEAR, "--eps", 0.01, "--budget", "10 queries")
    assert ended.code == 3
    assert "10 queries" in ended.out


def test_an_asked_threat_that_cannot_be_measured_is_3(cli: Cli, net: Path, data: Callable[..., Path]) -> None:
    words = ("attack", f"{net}:three", "--data", data(3), *LINEAR, "--eps", 0.01)
    assert cli(*words, "--threat", "evasion").code == 0
    ended = cli(*words, "--threat", "evasion", "--threat", "privacy")
    assert ended.code == 3
    assert "privacy" in ended.out


def test_a_bug_is_4(cli: Cli, net: Path, data: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    # a real programming error, planted where nothing outside could cause one
    monkeypatch.delattr("redan.threats.evasion.measured.quantities")
    ended = cli("attack", f"{net}:three", "--data", data(3), *LINEAR, "--eps", 0.01)
    assert ended.code == 4
    assert "RDN-E900" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("module", "code", "said"),
    [("sqlalchemy", 2, 'try: pip install "redan[serve]"'), ("redan.service.identity", 4, "RDN-E900: a bug in Redan")],
)
def test_a_library_that_an_extra_brings_is_asked_for_and_another_is_a_bug(
    tmp_path: Path, module: str, code: int, said: str
) -> None:
    without = f"import sys; sys.modules[{module!r}] = None; from redan.cli.__main__ import main; main()"
    words = [sys.executable, "-c", without, "identity", "init"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr


def test_ctrl_c_keeps_a_partial_report(
    spawn: Callable[..., subprocess.Popen[str]], net: Path, data: Callable[..., Path], tmp_path: Path
) -> None:
    process = spawn("attack", f"{net}:slow", "--data", data(3), *LINEAR, "--eps", 0.05, "--format", "json")
    assert process.stderr is not None
    for line in process.stderr:
        if "cascade: started" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    report = json.loads(out)
    assert report["run"]["complete"] is False
    assert report["run"]["stopped"] == "interrupted"
    assert report["gate"]["verdict"] != "pass"
    assert next(p for p in report["probes"] if p["name"] == "cascade")["outcome"] == "partial"
    kept = list((tmp_path / ".redan" / "runs").glob("*/report.json"))
    assert json.loads(kept[0].read_text())["run"]["stopped"] == "interrupted"
