"""`redan calibrate` and `redan watch` with the monitors of theft."""

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
    np.savez(tmp_path / "test.npz", x=x[800:1400], y=y[800:1400])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("monitor", ["extraction-stream", "query-budget"])
def test_a_thief_is_found_in_the_log_and_a_customer_is_not(folder: Path, monitor: str) -> None:
    words = [monitor, "m.py:line", "--data", "test.npz", "--train", "train.npz", "--rate", "0.05"]
    ended = CliRunner().invoke(command, [*words, "-o", "made.npz", "--json"], standalone_mode=False)
    assert ended.exception is None, ended.output
    told = json.loads(ended.stdout)
    rows = load_digits().data
    noise = np.random.default_rng(0).uniform(0, 16, (320, 64))
    for client, asked, code in (("customer", rows[1400:1455], 0), ("thief", noise, 1)):
        lines = [
            to_line(Event(client=client, time_s=float(i), model=told["model"], x=row)) for i, row in enumerate(asked)
        ]
        (folder / "log.jsonl").write_bytes(b"".join(lines))
        seen = CliRunner().invoke(
            watch, ["log.jsonl", "--detector", "made.npz", "--format", "json"], standalone_mode=False
        )
        assert seen.exception is None, seen.output
        found = [finding["rule"] for finding in json.loads(seen.stdout)["findings"]]
        assert bool(found) == bool(code), (client, found)
