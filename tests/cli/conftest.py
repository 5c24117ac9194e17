"""The command line as a user meets it: words in, exit code, stdout and stderr out."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from redan.cli.__main__ import redan
from redan.cli.ending import run


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Cli:
    """Run redan in this process, in an empty folder, without colours and without settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("REDAN_")]:
        monkeypatch.delenv(name)

    def call(*words: object) -> Ended:
        capsysbinary.readouterr()
        code = run(redan, [str(w) for w in words])
        seen = capsysbinary.readouterr()
        return Ended(code=code, out=seen.out.decode(), err=seen.err.decode())

    return call


@pytest.fixture
def spawn(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start redan as a process of its own."""

    def call(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "redan.cli", *map(str, words)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"},
        )

    return call


class Harmless:
    """Unpickling this would call print; nothing here ever unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(Harmless()))
    return path


@pytest.fixture
def benign(tmp_path: Path) -> Path:
    path = tmp_path / "benign.pkl"
    path.write_bytes(pickle.dumps({"weights": [1.0, 2.0], "name": "fine"}))
    return path


NET = '''
import torch
from torch import nn


def linear(classes=3, features=4):
    """One linear layer whose class regions are far apart or near, as its scale says."""
    net = nn.Linear(features, classes)
    with torch.no_grad():
        net.weight.copy_(torch.eye(classes, features) * 4)
        net.bias.zero_()
    return net


def two():
    return linear(2)


def three():
    return linear(3)


def one_logit():
    net = nn.Linear(4, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[-4.0, 4.0, 0.0, 0.0]]))
        net.bias.zero_()
    return net


class Raises(nn.Module):
    def forward(self, x):
        raise RuntimeError("the accelerator is on fire")


def raises():
    return Raises()


class Nan(nn.Module):
    def forward(self, x):
        return x[:, :3] * float("nan")


def nan():
    return Nan()


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear(3)

    def forward(self, x):
        import time

        time.sleep(0.02)
        return self.inner(x)


def slow():
    return Slow()


def no_model():
    return "not a model"
'''


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A file of factories."""
    path = tmp_path / "net.py"
    path.write_text(NET, encoding="utf-8")
    return path


def table(classes: int, n: int = 30, *, spread: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Inputs in [0, 1] that lie around one corner a class."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    x = rng.uniform(0, spread, (n, 4)).astype(np.float32)
    x[np.arange(n), y] = rng.uniform(0.6, 1, n)
    return x, y.astype(np.int64)


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    """Write an npz of a number of classes."""

    def write(classes: int = 3, **arrays: np.ndarray) -> Path:
        x, y = table(classes)
        path = tmp_path / f"data{classes}.npz"
        np.savez(path, **{"x": x, "y": y, **arrays})
        return path

    return write
