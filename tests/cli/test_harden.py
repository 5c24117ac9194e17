"""`redan harden` and `redan verify-evidence` as a user types them, on one small network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from tests.cli.conftest import Cli, Ended

MODEL = """
import torch


def net():
    made = torch.nn.utils.skip_init(torch.nn.Linear, 4, 3)
    made.load_state_dict(torch.load(__file__.replace("model.py", "net.pt"), weights_only=True))
    return made
"""
WORDS = ("--data", "test.npz", "--eps", "0.04", "--bounds", "0", "1", "-q")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model of the iris, its weights and its data beside it."""
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 8).astype(np.float32), y[order]
    linear = LogisticRegression(C=1000).fit(x, y)
    state = {"weight": torch.tensor(linear.coef_).float(), "bias": torch.tensor(linear.intercept_).float()}
    torch.save(state, tmp_path / "net.pt")
    (tmp_path / "model.py").write_text(MODEL)
    np.savez(tmp_path / "train.npz", x=x[:100], y=y[:100])
    np.savez(tmp_path / "test.npz", x=x[100:], y=y[100:])
    return tmp_path


def harden(cli: Cli, *more: object) -> Ended:
    mitigation = ("--mitigation", "adversarial-training", "--param", "epochs=2", "--train", "train.npz")
    return cli("harden", "model.py:net", *WORDS, *mitigation, *more)


def test_harden_says_what_was_gained_and_saves_what_verify_evidence_then_holds(cli: Cli, project: Path) -> None:
    ended = harden(cli, "--save", "better.pt")
    assert ended.code in (0, 1), ended.err
    assert max(map(len, ended.out.splitlines())) <= 80
    for words in ("before and after:", "robust accuracy", "alternatives:", "as it was", "adversarial-training"):
        assert words in ended.out
    assert "next: redan attack model.py:net --weights better.pt" in ended.err
    state = torch.load(project / "better.pt", weights_only=True)
    assert set(state) == {"weight", "bias"}
    assert json.loads((project / "better.pt.lineage.json").read_text())["file"] == "better.pt"
    (report,) = (project / ".redan" / "runs").glob("*/report.html")
    assert "<figcaption>alternatives</figcaption>" in report.read_text()
    held = cli("verify-evidence", "--bounds", "0", "1")
    assert "holds: " in held.out, held.out + held.err
    assert held.code == 0
    document = json.loads(cli("verify-evidence", "--bounds", "0", "1", "-f", "json").out)
    assert document["exit_code"] == 0
    assert {one["state"] for one in document["findings"]} == {"holds", "not re-verifiable"}


def test_a_changed_blob_and_another_model_are_told_apart(cli: Cli, project: Path) -> None:
    assert cli("attack", "model.py:net", *WORDS, "--probe", "cascade").code in (0, 1)
    assert cli("verify-evidence").code == 0
    state = torch.load(project / "net.pt", weights_only=True)
    torch.save({"weight": state["weight"].flip(0), "bias": state["bias"]}, project / "net.pt")
    other = cli("verify-evidence")
    assert other.code == 1
    assert "the model given has digest" in other.out
    (project / "model.py").unlink()
    gone = cli("verify-evidence")
    assert gone.code == 3
    assert "model or data are not at hand" in gone.out
    blobs = [p for p in (project / ".redan").glob("runs/*/evidence/*/*") if p.is_file()]
    blobs[0].write_bytes(b"forged")
    forged = cli("verify-evidence")
    assert forged.code == 1
    assert "was changed" in forged.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--budget", "0.001s"), 3, "could not be measured: not started"),
        (("--against", "opacity"), 2, "nothing hardens against 'opacity'"),
        (("--save", "better.onnx"), 2, "expected one of .safetensors, .pt, .pth"),
        (("--param", "epoch=3"), 2, "no parameter named 'epoch'"),
        (("--probe", "apgd"), 2, "No such option"),
    ],
)
def test_what_does_not_fit_is_named(cli: Cli, project: Path, words: tuple[str, ...], code: int, told: str) -> None:
    ended = harden(cli, *words)
    assert ended.code == code, ended.err
    assert told in ended.err


def test_a_run_that_is_no_folder_is_named(cli: Cli, project: Path) -> None:
    ended = cli("verify-evidence", "nowhere")
    assert ended.code == 3
    assert "no run folder" in ended.err
