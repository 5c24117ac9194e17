"""`redan calibrate`: a detector for one model, ready for `redan watch`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save as save_tensors
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from redan.cli.calibrate import command
from redan.cli.watch import command as watch
from redan.core.errors import EvidenceError
from redan.core.monitor import Event
from redan.evidence.statements import describe
from redan.kernels.detectors.log import to_line
from redan.subjects.data import load_dataset
from redan.subjects.detectors.opening import open_detector, save
from redan.subjects.detectors.served import Asked, served
from redan.subjects.open import open_subject
from redan.threats.evasion.monitors.query_sequence import QuerySequence

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


def test_a_detector_names_the_model_as_its_statements_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _network(tmp_path / "net")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=rng.normal(size=(400, 5)).astype(np.float32), y=np.arange(400) % 2)
    monkeypatch.chdir(tmp_path)
    words = ["input-drift", "net/net.py:make", "--weights", "net/w.safetensors", "--data", "rows.npz", "--json"]
    ended = CliRunner().invoke(command, words, standalone_mode=False)
    assert ended.exception is None, ended.output
    assert json.loads(ended.stdout)["model"] == describe(Path("net")).digest["dirHash"]


def test_findings_call_the_model_as_the_gateway_does(folder: Path) -> None:
    joblib.dump(GaussianNB().fit(*load_digits(return_X_y=True)), "m.joblib")
    served_ = '[serve]\n[[serve.models]]\nname = "digits"\ntarget = "m.joblib"\n'
    (folder / "redan.toml").write_text('[model]\ntarget = "m.joblib"\n[data]\ntest = "test.npz"\n' + served_)
    ended = CliRunner().invoke(command, ["input-drift", "-o", "made.npz", "--json"], standalone_mode=False)
    assert json.loads(ended.stdout)["subject"] == "digits"
    # one that was made under another name is opened under the gateway's, which its playbooks act on
    front = replace(served(open_subject("m.joblib")), name="other")
    assert open_detector(Path("made.npz"), front).made.subject == "other"


def test_a_detector_made_when_models_were_named_by_their_parts_opens_under_the_new_name(folder: Path) -> None:
    joblib.dump(GaussianNB().fit(*load_digits(return_X_y=True)), "m.joblib")
    subject = open_subject("m.joblib")
    now = served(subject)
    assert now.digest == describe(Path("m.joblib")).digest["sha256"]
    old = replace(now, digest=subject.ref.digest)
    data = load_dataset("test.npz")
    save(QuerySequence.fitted(data, old, Asked(rate=0.05)), Path("old.npz"))
    assert open_detector(Path("old.npz"), now).made.model == now.digest
    with pytest.raises(EvidenceError, match="calibrated for model"):
        open_detector(Path("old.npz"), replace(now, parts="cd" * 32))


def _network(folder: Path) -> None:
    folder.mkdir()
    (folder / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(5, 2)\n")
    (folder / "w.safetensors").write_bytes(save_tensors(torch.nn.Linear(5, 2).state_dict()))
