"""`redan calibrate`: a detector for one model, ready for `redan watch`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits

from redan.cli.calibrate import command
from redan.cli.watch import command as watch
from redan.core.monitor import Event
from redan.kernels.detectors.log import to_line

MODEL = """
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression


def line():
    x, y = load_digits(return_X_y=True)
    return LogisticRegression(max_iter=200).fit(x[:800], y[:800])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "m.py").write_text(MODEL)
    x, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "train.npz", x=x[:800], y=y[:800])
    np.savez(tmp_path / "test.npz", x=x[800:], y=y[800:])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("monitor", ["feature-distance", "nearest-rows", "query-sequence", "validity", "arriving-data"])
def test_a_detector_is_made_and_watches_traffic_of_its_model(folder: Path, monitor: str) -> None:
    words = [monitor, "m.py:line", "--data", "test.npz", "--train", "train.npz", "--rate", "0.05"]
    ended = CliRunner().invoke(command, [*words, "-o", "made.npz", "--json"], standalone_mode=False)
    assert ended.exception is None, ended.output
    told = json.loads(ended.stdout)
    assert told.get("calibration", {"asked_rate": 0.05})["asked_rate"] == 0.05
    x, _ = load_digits(return_X_y=True)
    lines = [
        to_line(Event(client="c", time_s=float(i), model=told["model"], x=row)) for i, row in enumerate(x[900:960])
    ]
    (folder / "log.jsonl").write_bytes(b"".join(lines))
    seen = CliRunner().invoke(watch, ["log.jsonl", "--detector", "made.npz"], standalone_mode=False)
    assert seen.exception is None, seen.output
    assert seen.return_value in (0, 1)


def test_a_log_without_inputs_is_not_clean(folder: Path) -> None:
    words = ["query-sequence", "m.py:line", "--data", "test.npz", "--rate", "0.05", "-o", "made.npz", "--json"]
    told = json.loads(CliRunner().invoke(command, words, standalone_mode=False).stdout)
    lines = [to_line(Event(client="c", time_s=float(i), model=told["model"], label=1)) for i in range(30)]
    (folder / "log.jsonl").write_bytes(b"".join(lines))
    seen = CliRunner().invoke(watch, ["log.jsonl", "--detector", "made.npz"], standalone_mode=False)
    assert seen.exception is None, seen.output
    assert seen.return_value == 3
    assert "without theirs" in " ".join(seen.stdout.split())


def test_squeezing_without_bounds_is_refused_and_nothing_is_written(folder: Path) -> None:
    words = ["feature-squeezing", "m.py:line", "--data", "test.npz", "--rate", "0.05", "-o", "made.npz"]
    ended = CliRunner().invoke(command, words, standalone_mode=False)
    assert ended.exception is not None
    assert "bounds" in str(ended.exception)
    assert not (folder / "made.npz").exists()
