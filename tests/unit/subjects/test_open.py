"""One door: whatever can be measured is found, and a model file is scanned before it is loaded."""

from __future__ import annotations

import os
import pickle

import joblib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn

from redan.core.errors import ShapeMismatch, UnknownName, Unreadable, UnsafeArtifact, UsageError
from redan.subjects.gate import admit
from redan.subjects.model_files import load_admitted
from redan.subjects.open import open_subject
from redan.subjects.options import Options

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
FACTORY = """
from torch import nn

def net():
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))

def other():
    return nn.Linear(4, 3)

def double():
    return lambda x: x * 2

def nothing():
    return None
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text(FACTORY)
    return tmp_path


@pytest.fixture
def network() -> nn.Module:
    made = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    for parameter in made.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
    return made


class Touch:
    """Would write a file if it were ever loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def expected(module):
    return module(torch.from_numpy(X)).detach().numpy()


def test_a_factory(folder):
    subject = open_subject(f"{folder / 'model.py'}:net", classes=("a", "b", "c"), bounds=(0, 8))
    assert subject.ref.name == "model:net"
    assert {part.role for part in subject.ref.components} == {"weights", "code"}
    assert "trainable" in subject.capabilities
    assert (subject.classes, subject.bounds) == (("a", "b", "c"), (0, 8))
    assert open_subject(f"{folder / 'model.py'}:double", sample=X).ref.kind == "callable"
    with pytest.raises(UsageError, match="NoneType"):
        open_subject(f"{folder / 'model.py'}:nothing")


@pytest.mark.parametrize("form", ["zip", "legacy", "nested", "parallel", "safetensors"])
def test_weights_for_a_factory(folder, network, form):
    state = network.state_dict()
    path = folder / ("w.safetensors" if form == "safetensors" else "w.pt")
    if form == "safetensors":
        save_file(state, path)
    elif form == "nested":
        torch.save({"epoch": 3, "model_state_dict": state}, path)
    elif form == "parallel":
        torch.save({f"module.{key}": value for key, value in state.items()}, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    subject = open_subject(f"{folder / 'model.py'}:net", weights=path)
    np.testing.assert_array_equal(subject.scores(X), expected(network))
    assert subject.ref.name == "model:net"
    assert {part.role for part in subject.ref.components} == {"weights", "code"}
    assert subject.ref.binding.kind == "file"


def test_weights_that_do_not_fit(folder, network):
    torch.save(network.state_dict(), folder / "w.pt")
    with pytest.raises(ShapeMismatch, match="do not fit the factory's module"):
        open_subject(f"{folder / 'model.py'}:other", weights=folder / "w.pt")
    with pytest.raises(UsageError, match="holds 4 tensors and no network"):
        open_subject(folder / "w.pt")
    torch.save(network, folder / "whole.pt")
    with pytest.raises(UsageError, match="whole network"):
        open_subject(f"{folder / 'model.py'}:net", weights=folder / "whole.pt")
    with pytest.raises(UsageError, match="no factory"):
        open_subject(network, weights=folder / "w.pt")


def test_a_whole_module(folder, network):
    torch.save(network, folder / "whole.pt")
    subject = open_subject(folder / "whole.pt")
    np.testing.assert_array_equal(subject.scores(X), expected(network))
    assert "gradients" in subject.capabilities


@pytest.mark.parametrize("made_by", ["pickle", "joblib", "joblib-compressed"])
def test_estimators_from_files(folder, made_by):
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    path = folder / "model.bin"
    if made_by == "pickle":
        path.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, path, compress=3 if made_by.endswith("compressed") else 0)
    subject = open_subject(path)
    assert subject.ref.kind == "sklearn"
    assert subject.ref.components[0].size_bytes == path.stat().st_size
    np.testing.assert_allclose(subject.scores(X), model.predict_proba(X))


@pytest.mark.parametrize("as_weights", [False, True])
def test_hostile_files_are_refused_before_they_are_loaded(folder, as_weights):
    marker, path = folder / "touched", folder / "m.pkl"
    path.write_bytes(pickle.dumps(Touch(marker)))
    with pytest.raises(UnsafeArtifact, match=r"unsafe.*system") as caught:
        open_subject(f"{folder / 'model.py'}:net" if as_weights else path, weights=path if as_weights else "")
    assert "--trust" in caught.value.hint
    assert caught.value.exit_code == 1
    assert not marker.exists()


def test_unknown_files_are_refused_too(folder):
    (folder / "m.pkl").write_bytes(b"cmy_own_package\nUnheard\n)R.")
    with pytest.raises(UnsafeArtifact):
        open_subject(folder / "m.pkl")


def test_loaders_insist_on_safety_themselves(folder):
    """Even when somebody calls the loader without the door."""
    marker = folder / "touched"
    (folder / "m.pkl").write_bytes(pickle.dumps(Touch(marker)))
    torch.save(Touch(marker), folder / "m.pt")
    for name in ("m.pkl", "m.pt"):
        with pytest.raises(UnsafeArtifact):
            load_admitted(admit(folder / name, trust=True), options=Options())
    assert not marker.exists()


def test_what_was_scanned_is_what_is_loaded(folder):
    """A file that is swapped between scan and load changes nothing."""
    path = folder / "m.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression(max_iter=1000).fit(X, Y)))
    admitted = admit(path, trust=False)
    path.write_bytes(pickle.dumps(Touch(folder / "touched")))
    assert load_admitted(admitted, options=Options()).ref.kind == "sklearn"
    assert not (folder / "touched").exists()


def test_a_subject_stays_itself_and_kinds_can_be_forced(network):
    subject = open_subject(network)
    assert open_subject(subject) is subject
    forced = open_subject(lambda x: x, kind="callable", sample=X)
    assert forced.ref.kind == "callable"
    with pytest.raises(UsageError, match="is no sklearn"):
        open_subject(network, kind="sklearn")
    with pytest.raises(UnknownName) as caught:
        open_subject(network, kind="sklear")
    assert "'sklearn'" in caught.value.hint


def test_what_cannot_be_measured(folder):
    (folder / "empty").mkdir()
    (folder / "nothing.pt").write_bytes(b"")
    (folder / "notes.txt").write_text("hello world\n")
    for target, error, words in (
        (folder / "gone.pt", Unreadable, "no model at"),
        (folder / "empty", Unreadable, "no model folder"),
        (folder / "nothing.pt", Unreadable, "is empty"),
        (folder / "notes.txt", Unreadable, "not a model"),
        (folder / "model.py", UsageError, "which function"),
        (42, UsageError, "builtins.int"),
    ):
        with pytest.raises(error, match=words):
            open_subject(target)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript(folder, network):
    path = folder / "ts.pt"
    torch.jit.script(network).save(str(path))
    subject = open_subject(path)
    np.testing.assert_allclose(subject.scores(X), expected(network), rtol=1e-5)
    assert subject.capabilities == {"labels", "scores", "gradients", "weights"}
    x = torch.from_numpy(X).requires_grad_()
    (gradient,) = torch.autograd.grad(subject.logits(x).sum(), x)
    assert float(gradient.abs().sum()) > 0


def test_exported_programs(folder, network):
    rows = torch.export.Dim("rows")
    program = torch.export.export(network, (torch.from_numpy(X[:2]),), dynamic_shapes=({0: rows},))
    torch.export.save(program, folder / "m.pt2")
    subject = open_subject(folder / "m.pt2")
    np.testing.assert_allclose(subject.scores(X), expected(network), rtol=1e-5)
    assert subject.capabilities == {"labels", "scores", "gradients", "weights"}
    x = torch.from_numpy(X).requires_grad_()
    (gradient,) = torch.autograd.grad(subject.logits(x).sum(), x)
    assert float(gradient.abs().sum()) > 0
