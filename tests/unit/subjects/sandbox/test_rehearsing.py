"""A file is loaded once in the sandbox: what its loader resolves and tries is named, and nothing of it happens."""

from __future__ import annotations

import os
import pickle
import socket
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from redan.core.errors import UnsafeArtifact
from redan.kernels.artifacts import inspect
from redan.subjects.sandbox import confinement
from redan.subjects.sandbox.rehearsing import Rehearsal, compared, rehearse
from redan.subjects.sandbox.watch import Watch

needs_sandbox = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")
CRIMES = {
    "write": ("open({marker!r}, 'w')", "open({marker}) for writing"),
    "make a folder": ("os.mkdir({marker!r})", "os.mkdir({marker})"),
    "connect": ("socket.create_connection(('127.0.0.1', {port}), 1)", "socket.getaddrinfo(127.0.0.1)"),
    "a bare socket": ("socket.socket()", "socket.__new__("),
    "run a program": ("subprocess.run(['/bin/true'])", "subprocess.Popen(/bin/true"),
    "replace itself": ("os.execv('/bin/true', ['true'])", "os.exec(/bin/true"),
    "a shell": ("os.system('touch {marker}')", "os.system(touch {marker})"),
    "fork": ("os.fork()", "os.fork()"),
    "read the passwords": ("open('/etc/passwd').read()", "open(/etc/passwd) for reading"),
    "read the home": ("os.listdir({home!r})", "os.listdir({home})"),
    "kill us": ("os.kill({parent}, 0)", "os.kill("),
    "trace us": ("ctypes.CDLL(None).ptrace(16, {parent}, 0, 0)", "ctypes.dlsym(ptrace"),
}
HARNESS = """
import ctypes, os, socket, subprocess
for crime in {crimes!r}:
    try:
        exec(crime)
    except OSError:
        pass
"""


class Call:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> object:
        return self.call


def rehearsed(path: Path, **changed: object) -> Rehearsal:
    return rehearse(path, replace(inspect(path), **changed))


@needs_sandbox
def test_every_act_is_refused_and_named(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        facts = {
            "marker": str(marker),
            "port": server.getsockname()[1],
            "home": str(Path.home()),
            "parent": os.getpid(),
        }
        crimes = [code.format(**facts) for code, _ in CRIMES.values()]
        path = tmp_path / "m.pkl"
        path.write_bytes(pickle.dumps([Call(exec, HARNESS.format(crimes=crimes), {}), np.eye(2)]))
        seen = rehearsed(path)
        with pytest.raises(TimeoutError):
            server.accept()
    for name, (_, expected) in CRIMES.items():
        assert any(expected.format(**facts) in act for act in seen.tried), (name, seen.tried)
    assert not marker.exists()
    assert "builtins.exec" in seen.resolved
    # it went on after each refusal and was loaded in the end
    assert [part.shape for part in seen.parts] == [(2, 2)]


@needs_sandbox
@pytest.mark.parametrize("kind", ["pickle", "joblib", "torch", "state", "numpy"])
def test_an_honest_file_resolves_what_the_scan_saw_and_tries_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"m.{kind}"
    model = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    if kind == "pickle":
        path.write_bytes(pickle.dumps(model))
    elif kind == "joblib":
        joblib.dump(model, path, compress=3)
    elif kind == "numpy":
        with path.open("wb") as file:
            np.save(file, np.eye(3))
    else:
        net = torch.nn.Linear(4, 3)
        torch.save(net if kind == "torch" else net.state_dict(), path)
    seen = rehearsed(path)
    assert not seen.failure
    assert (seen.tried, seen.unseen, seen.unused) == ((), (), ())
    assert seen.parts
    assert bool(seen.resolved) == (kind != "numpy")


@needs_sandbox
def test_a_name_that_the_scan_did_not_see_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(np.eye(2)))
    blind = rehearsed(path, imports=("collections.OrderedDict", "numpy.dtype"))
    assert blind.unseen == ("numpy._core.multiarray._reconstruct", "numpy.ndarray")
    assert blind.unused == ("collections.OrderedDict",)


@needs_sandbox
def test_what_was_told_cannot_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps([Call(os.getpid), Call(os._exit, 0)]))
    seen = rehearsed(path, imports=())
    assert {name.partition(".")[2] for name in seen.unseen} == {"getpid", "_exit"}
    assert seen.type == ""
    assert "ended without an answer" in seen.failure


@needs_sandbox
def test_a_load_without_end_is_stopped(tmp_path: Path) -> None:
    import time

    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Call(time.sleep, 1000)))
    seen = rehearse(path, inspect(path), within_s=5.0)
    assert "in time" in seen.failure
    assert seen.resolved == ("time.sleep",)


def test_old_and_new_names_of_a_module_are_one() -> None:
    seen = ("__builtin__.set", "copy_reg._reconstructor", "torch._tensor._rebuild_from_type_v2", "a.B.c")
    read = ("builtins.set", "copyreg._reconstructor", "torch.tensor._rebuild_from_type_v2", "torch.FloatStorage", "x.Y")
    assert compared(seen, read) == (("a.B.c",), ("x.Y",))


def test_without_a_sandbox_nothing_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(np.eye(2)))
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    with pytest.raises(UnsafeArtifact, match="no sandbox"):
        rehearsed(path)


def test_names_are_told_once_and_no_more_than_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redan.subjects.sandbox.watch.MOST_NAMES", 3)
    told: list[tuple[str, str]] = []
    watch = Watch(lambda kind, name: told.append((kind, name)), ("/usr/lib",), frozenset())
    for number in (1, 1, 2, 3, 4):
        watch._named("pickle.find_class", ("module", f"name{number}"))
    assert told == [("resolved", f"module.name{number}") for number in (1, 2, 3)]


@needs_sandbox
@pytest.mark.parametrize("name", ["b_keras/b_keras__bilstmkeras.keras", "b_torch/b_torch__export_pt2.pt2"])
def test_files_whose_libraries_import_late_try_nothing(shared: Path, name: str) -> None:
    seen = rehearsed(shared / "corpus/supply_chain/files" / name)
    assert not seen.failure
    assert (seen.tried, seen.unseen) == ((), ())
    assert seen.parts
