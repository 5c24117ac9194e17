"""`redan own`: a mark is put in once, and claims are held against thieves and strangers."""

from __future__ import annotations

import json
import stat
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from sklearn.datasets import load_digits

from redan.cli.own import command
from redan.core.errors import RedanError, SignatureRefused, Unreadable, UsageError
from redan.evidence.ownership import read

MODEL = """
import torch


def net():
    return torch.nn.Sequential(
        torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10)
    )
"""
DATA = ["--data", "test.npz", "--train", "train.npz", "--bounds", "0", "1", "--weights", "net.pt", "-q"]
QUICK = ["--param", "steps=700", "--param", "triggers=30", "--param", "bits=64", "--param", "points=60"]


@cache
def weights(seed: int) -> dict[str, torch.Tensor]:
    """A small network for digits, trained on other rows than the owner's."""
    x, y = load_digits(return_X_y=True)
    inputs, labels = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    space: dict[str, Any] = {}
    exec(MODEL, space)  # the factory that the command line opens
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = space["net"]()
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    rows = slice(0, 400) if seed == 0 else slice(400, 800)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs[rows]), labels[rows]).backward()
        optimiser.step()
    return net.state_dict()


def run(*words: str) -> Result:
    return CliRunner().invoke(command, list(words), standalone_mode=False)


def done(*words: str) -> Result:
    ended = run(*words)
    assert ended.exception is None, (words, ended.exception)
    return ended


def refused(kind: type[RedanError], *words: str) -> RedanError:
    ended = run(*words)
    assert isinstance(ended.exception, kind), ended.exception
    return ended.exception


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a marked model, a fingerprint, the networks they rest on, and a further one."""
    folder = tmp_path_factory.mktemp("own")
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    (folder / "m.py").write_text(MODEL)
    np.savez(folder / "train.npz", x=x[:400], y=y[:400])
    np.savez(folder / "test.npz", x=x[1000:1300], y=y[1000:1300])
    for seed in range(22):
        torch.save(weights(seed), folder / ("net.pt" if seed == 0 else f"other{seed}.pt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        strangers = [word for i in range(1, 21) for word in ("--independent-model", f"other{i}.pt")]
        words = ["m.py:net", "--key", "owner.key", *DATA, *QUICK, "--independent", "0", *strangers]
        done("key", "owner.key")
        done("mark", *words, "--save", "marked.pt", "-o", "mark.json")
        done("fingerprint", *words, "--save", "net.own.json", "-o", "print.json")
    return folder


@pytest.fixture
def folder(marked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(marked)
    return marked


def claim(ownership: str, weights_file: str, *more: str) -> tuple[Any, dict[str, Any]]:
    words = ["claim", ownership, "m.py:net", "--weights", weights_file, "--key", "owner.key", "-q", "-f", "json", *more]
    ended = done(*words)
    (finding,) = json.loads(ended.stdout)["findings"]
    return ended.return_value, finding


def test_the_key_is_secret_and_never_overwritten(folder: Path) -> None:
    assert stat.S_IMODE((folder / "owner.key").stat().st_mode) == 0o600
    refused(UsageError, "key", "owner.key")


def test_the_report_of_a_mark_tells_its_price_before_and_after(folder: Path) -> None:
    (finding,) = json.loads((folder / "mark.json").read_text())["findings"]
    told = {q["name"]: q for q in finding["quantities"]}
    assert told["weights_match_rate"]["value"] > 0.98
    assert told["triggers_match_rate"]["value"] > 0.9
    assert told["clean_accuracy"]["value"] > told["clean_accuracy_before"]["value"] - 0.05
    assert told["training_cpu_s"]["value"] > 0
    table = next(t for t in finding["tables"] if t["name"] == "before_and_after")
    assert [row[0] for row in table["rows"]] == ["clean accuracy", "latency a row", "training"]
    assert finding["severity"] == "info"


@pytest.mark.parametrize(("ownership", "stolen"), [("marked.pt.own.json", "marked.pt"), ("net.own.json", "net.pt")])
def test_a_pruned_copy_is_claimed_and_a_stranger_is_not(folder: Path, ownership: str, stolen: str) -> None:
    state = torch.load(folder / stolen, weights_only=True)
    for value in state.values():
        if value.dim() > 1:
            value[value.abs() <= value.abs().flatten().kthvalue(int(0.3 * value.numel())).values] = 0
    torch.save(state, folder / "thief.pt")
    code, finding = claim(ownership, "thief.pt")
    assert code == 1
    assert finding["severity"] == "high"
    assert "was made from" in finding["title"]
    code, finding = claim(ownership, "other21.pt")
    assert code == 0
    assert "no sign" in finding["title"]


def test_a_model_that_only_answers_is_asked_for_triggers_and_the_bits_are_said_to_be_unread(folder: Path) -> None:
    (folder / "f.py").write_text(
        "import torch\nfrom m import net\n\n\ndef answers():\n    inner = net()\n"
        "    inner.load_state_dict(torch.load('marked.pt', weights_only=True))\n"
        "    return lambda x: inner(torch.as_tensor(x)).argmax(1).numpy()\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        ended = done("claim", "marked.pt.own.json", "f.py:answers", "--key", "owner.key", "-q", "-f", "json")
    (finding,) = json.loads(ended.stdout)["findings"]
    assert ended.return_value == 1
    rows = {row[0]: row for row in finding["tables"][0]["rows"]}
    assert "gives answers only" in rows["weights"][-1]
    assert rows["triggers"][3] >= 25


def test_another_key_and_a_changed_file_are_refused(folder: Path) -> None:
    done("key", "another.key")
    words = ("claim", "marked.pt.own.json", "m.py:net", "--weights", "other21.pt", "-q")
    refused(SignatureRefused, *words, "--key", "another.key")
    text = (folder / "marked.pt.own.json").read_text()
    (folder / "changed.own.json").write_text(text.replace('"classes": 10', '"classes": 9'))
    refused(SignatureRefused, "claim", "changed.own.json", "m.py:net", "--weights", "other21.pt", "--key", "owner.key")
    points = (folder / "net.own.npz").read_bytes()
    (folder / "moved").mkdir()
    (folder / "moved" / "net.own.json").write_bytes((folder / "net.own.json").read_bytes())
    (folder / "moved" / "net.own.npz").write_bytes(points[:-1] + b"x")
    refused(SignatureRefused, "claim", "moved/net.own.json", "m.py:net", "--weights", "net.pt", "--key", "owner.key")


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    (folder / "open.key").write_text("00" * 32)
    (folder / "open.key").chmod(0o644)
    words = ("claim", "marked.pt.own.json", "m.py:net", "--weights", "net.pt")
    assert "can be read by others" in str(refused(Unreadable, *words, "--key", "open.key"))


def test_too_few_independent_models_are_refused_before_any_work(folder: Path) -> None:
    words = ("mark", "m.py:net", "--key", "owner.key", *DATA, "--save", "few.pt", "--independent", "19")
    assert "20 at least" in str(refused(UsageError, *words))
    assert not (folder / "few.pt").exists()


def test_the_ownership_file_holds_no_secret_and_is_bound_to_what_it_says(folder: Path) -> None:
    text = (folder / "marked.pt.own.json").read_text()
    key = bytes.fromhex((folder / "owner.key").read_text())
    assert key.hex() not in text
    told = read(folder / "marked.pt.own.json")
    told.check(key)
    assert {mark.kind: len(mark.independent) for mark in told.marks} == {"triggers": 20, "weights": 20}


def test_independent_models_are_trained_when_none_are_given(folder: Path) -> None:
    x, y = load_digits(return_X_y=True)
    np.savez(folder / "few.npz", x=(x[:64] / 16).astype(np.float32), y=y[:64])
    words = ("fingerprint", "m.py:net", "--key", "owner.key", *DATA, *QUICK, "--train", "few.npz")
    done(*words, "--save", "trained.own.json", "-o", "trained.html")
    told = read(folder / "trained.own.json")
    assert len(told.marks[0].independent) == 20
    assert len(set(told.marks[0].independent)) > 1, "other seeds, other models"
    assert "Redan's own course" in told.independent


def test_a_mark_that_was_not_learned_is_a_finding_and_nothing_can_be_claimed_with_it(folder: Path) -> None:
    strangers = [word for i in range(1, 21) for word in ("--independent-model", f"other{i}.pt")]
    words = ["m.py:net", "--key", "owner.key", *DATA, "--independent", "0", *strangers, "--method", "triggers"]
    done("mark", *words, "--param", "steps=1", "--param", "epochs=1", "--save", "weak.pt", "-o", "weak.json")
    (finding,) = json.loads((folder / "weak.json").read_text())["findings"]
    assert finding["severity"] == "medium"
    assert "Nothing can be claimed" in finding["detail"]
    code, claimed = claim("weak.pt.own.json", "weak.pt")
    assert code == 0
    assert claimed["title"].startswith("no sign")
