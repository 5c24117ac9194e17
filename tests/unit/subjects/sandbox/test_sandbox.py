"""What is not safe is loaded where it can do no harm, or not at all."""

from __future__ import annotations

import ast
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.subjects.open import open_subject
from redan.subjects.sandbox import confinement
from redan.subjects.sandbox import subject as sandbox_subject
from redan.subjects.sandbox.filter import ARCHITECTURES, command_program, program
from redan.subjects.sandbox.frames import read_frame, write_frame

X, Y = load_iris(return_X_y=True)
needs_sandbox = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")


class Call:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def hostile(tmp_path):
    def write(*calls) -> str:
        path = tmp_path / "m.pkl"
        path.write_bytes(pickle.dumps([Call(*call) for call in calls]))
        return str(path)

    return write


def ended_quickly(work):
    started = time.monotonic()
    try:
        work()
    finally:
        assert time.monotonic() - started < 60


@needs_sandbox
def test_a_harmless_file_of_unknown_kind_is_measured(tmp_path):
    path = tmp_path / "m.pkl"
    # an estimator together with a call that no list knows and that does nothing: not safe, and it works
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    model.extra = Call(os.getpid)
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(UnsafeArtifact):
        open_subject(path)
    subject = open_subject(path, trust=True, sample=X[:4])
    assert subject.capabilities == {"labels", "scores"}
    assert subject.score_kind == "probabilities"
    np.testing.assert_allclose(subject.scores(X), model.predict_proba(X))
    np.testing.assert_array_equal(subject.labels(X), model.predict(X))
    assert "sandbox" in subject.ref.binding.detail
    assert subject.ref.components[0].size_bytes == path.stat().st_size
    with pytest.raises(SubjectFailed, match=r"features|shape"):
        subject.labels(X[:, :2])
    assert subject.labels(X[:3]).shape == (3,)
    subject.close()
    with pytest.raises(SubjectFailed, match="ended"):
        subject.labels(X)


@needs_sandbox
def test_weights_for_a_factory_in_the_sandbox(tmp_path):
    (tmp_path / "model.py").write_text("from torch import nn\ndef net(): return nn.Linear(4, 3)\n")
    torch.save({"state_dict": torch.nn.Linear(4, 3).state_dict(), "extra": Call(os.getpid)}, tmp_path / "w.pt")
    subject = open_subject(f"{tmp_path / 'model.py'}:net", weights=tmp_path / "w.pt", trust=True)
    assert subject.scores(X.astype(np.float32)).shape == (150, 3)
    assert "gradients" not in subject.capabilities
    subject.close()


@needs_sandbox
def test_what_it_tried_is_told(hostile, tmp_path):
    path = hostile((os.system, f"touch {tmp_path / 'touched'}"))
    with pytest.raises(SubjectFailed, match=r"tried os\.system.*touch.*refused"):
        open_subject(path, trust=True)
    assert not (tmp_path / "touched").exists()


CRIMES = {
    "write beside the model": "open({folder!r} + '/touched', 'w')",
    "write to /tmp": "open('/tmp/redan_was_here', 'w')",
    "append to the model": "open({folder!r} + '/m.pkl', 'ab')",
    "remove the model": "__import__('os').unlink({folder!r} + '/m.pkl')",
    "read a neighbour": "open({folder!r} + '/secret').read()",
    "list the home": "__import__('os').listdir(__import__('os').path.expanduser('~root'))",
    "read the passwords": "open('/etc/passwd').read()",
    "read our environment": "open('/proc/{parent}/environ').read()",
    "go round by proc": "open('/proc/self/root/etc/passwd').read()",
    "change a mode": "__import__('os').chmod({folder!r} + '/secret', 0o777)",
    "change an owner": "__import__('os').chown({folder!r} + '/secret', -1, -1)",
    "change a time": "__import__('os').utime({folder!r} + '/secret')",
    "change an attribute": "__import__('os').setxattr({folder!r} + '/secret', 'user.a', b'b')",
    "link": "__import__('os').link({folder!r} + '/m.pkl', {folder!r} + '/linked')",
    "rename": "__import__('os').rename({folder!r} + '/m.pkl', {folder!r} + '/touched')",
    "truncate": "__import__('os').truncate({folder!r} + '/m.pkl', 0)",
    "limit us": "__import__('resource').prlimit({parent}, 0)",
    "reschedule us": "__import__('os').sched_setaffinity({parent}, {cores})",
    "make a folder": "__import__('os').mkdir({folder!r} + '/touched')",
    "start a program": "__import__('subprocess').run(['true'])",
    "fork unseen": "__import__('ctypes').CDLL(None).fork() >= 0 or 1 / 0",
    "open a socket": "__import__('socket').create_connection(('127.0.0.1', {port}), 1)",
    "open a socket unseen": "__import__('ctypes').CDLL(None).socket(2, 1, 0) >= 0 or 1 / 0",
    "use io_uring": "__import__('ctypes').CDLL(None).syscall(425, 8, bytes(120)) >= 0 or 1 / 0",
    "signal us": "__import__('os').kill({parent}, 0)",
    "signal us unseen": "__import__('ctypes').CDLL(None).kill({parent}, 0) == 0 or 1 / 0",
    "trace us": "__import__('ctypes').CDLL(None).ptrace(16, {parent}, 0, 0) == 0 or 1 / 0",
    "execute unseen": "__import__('ctypes').CDLL(None).execv(b'/bin/true', None) == 0 or 1 / 0",
}


TRIAL = """
import ctypes, os, sys, threading
from pathlib import Path
from redan.subjects.sandbox.entering import SYSTEM
from redan.subjects.sandbox.confinement import confine
model, confined, crimes = {model!r}, {confined!r}, {crimes!r}
if confined:
    readable = [Path(p) for p in (*SYSTEM, sys.prefix, sys.base_prefix, *sys.path, model) if p]
    confine(readable, memory_bytes=4 << 30, cpu_s=60)
assert Path(model).read_bytes() == b"model"
done = []
for name, crime in crimes.items():
    try:
        eval(crime)
    except (OSError, ZeroDivisionError):
        continue
    done.append(name)
thread = threading.Thread(target=lambda: done.append("thread"))
thread.start(); thread.join()
sys.stdout.write(repr(done))
"""
PROVEN = (
    "write beside the model", "append to the model", "read a neighbour", "list the home", "read the passwords",
    "read our environment", "go round by proc", "change a mode", "change an owner", "change a time", "link", "limit us",
    "reschedule us", "start a program", "open a socket", "open a socket unseen", "signal us", "signal us unseen",
)  # fmt: skip
"""Crimes that any process of the user can commit, so that the trial of the free process proves they are real."""


def trial(folder, crimes, *, confined: bool) -> list[str]:
    """Let a process without the audit hook commit crimes; return those that it could."""
    (folder / "secret").write_text("secret")
    (folder / "m.pkl").write_bytes(b"model")
    text = TRIAL.format(model=str(folder / "m.pkl"), confined=confined, crimes=crimes)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False, cwd="/",
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


@pytest.fixture
def crimes(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        facts = {
            "folder": str(tmp_path),
            "parent": os.getpid(),
            "port": server.getsockname()[1],
            "cores": sorted(os.sched_getaffinity(0)),
        }
        yield {name: crime.format(**facts) for name, crime in CRIMES.items()}


@needs_sandbox
def test_the_kernel_alone_refuses_every_crime(tmp_path, crimes):
    assert trial(tmp_path, crimes, confined=True) == ["thread"]
    assert (tmp_path / "m.pkl").read_bytes() == b"model"
    assert not (tmp_path / "touched").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the crimes are those of Linux")
def test_a_free_process_can_commit_them(tmp_path, crimes):
    proven = {name: crimes[name] for name in PROVEN}
    possible = trial(tmp_path, proven, confined=False)
    # other users of the machine may not read root's things; all else is in anybody's power
    assert set(possible) >= set(PROVEN) - {"list the home"}


@needs_sandbox
def test_a_file_that_loops_is_stopped(hostile, monkeypatch):
    monkeypatch.setattr(sandbox_subject, "LOADING_S", 3.0)
    with pytest.raises(SubjectFailed, match="in time"):
        open_subject(hostile((time.sleep, 1000)), trust=True)


@needs_sandbox
def test_a_file_that_ends_the_process(hostile):
    with pytest.raises(SubjectFailed):
        ended_quickly(lambda: open_subject(hostile((os._exit, 0)), trust=True))
    with pytest.raises(SubjectFailed):
        ended_quickly(lambda: open_subject(hostile((sys.exit, 0)), trust=True))
    with pytest.raises(SubjectFailed):
        ended_quickly(lambda: open_subject(hostile((bytearray, 1 << 45)), trust=True))


@needs_sandbox
def test_what_it_prints_is_no_answer(hostile):
    with pytest.raises(SubjectFailed, match="list"):
        open_subject(hostile((os.write, 1, b"\0" * 100), (print, "hello")), trust=True)


@needs_sandbox
def test_no_process_is_left_over(tmp_path):
    path = tmp_path / "m.pkl"
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    model.extra = Call(os.getpid)
    path.write_bytes(pickle.dumps(model))
    subject = open_subject(path, trust=True)
    number = subject._child.pid
    del subject
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_without_a_sandbox_nothing_is_loaded(hostile, monkeypatch):
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    with pytest.raises(UnsafeArtifact, match=r"no sandbox.*Landlock"):
        open_subject(hostile((os.getpid,)), trust=True)


PROGRAMS = {
    "load": program,
    "command": lambda machine: command_program(machine, may_signal=True, sockets=False),
    "workers": lambda machine: command_program(machine, may_signal=False, sockets=True),
}


@pytest.mark.parametrize("kind", sorted(PROGRAMS))
@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_the_filter_is_a_program_without_wild_jumps(machine, kind):
    code = PROGRAMS[kind](machine)
    steps = [struct.unpack("@HBBI", code[i : i + 8]) for i in range(0, len(code), 8)]
    assert len(steps) < 4096
    for place, (_, yes, no, _) in enumerate(steps):
        assert place + 1 + max(yes, no) < len(steps) or place == len(steps) - 1
    assert steps[-1][0] == 0x06


class TestFrames:
    def test_a_frame_comes_back(self):
        ours, theirs = os.pipe()
        array = np.arange(300000.0).reshape(3, -1)
        writer = threading.Thread(target=write_frame, args=(theirs, {"a": 1}, array))
        writer.start()
        header, back = read_frame(ours, within_s=10)
        writer.join()
        assert header == {"a": 1}
        np.testing.assert_array_equal(back, array)
        os.close(ours)
        os.close(theirs)

    @pytest.mark.parametrize(
        "data",
        [
            struct.pack("<IQ", 1 << 30, 0),
            struct.pack("<IQ", 2, 1 << 60),
            struct.pack("<IQ", 2, 0) + b"[]",
            struct.pack("<IQ", 4, 0) + b"nope",
            struct.pack("<IQ", 2, 3) + b"{}abc",
            struct.pack("<IQ", 2, 0) + b"{",
            b"",
        ],
    )
    def test_nonsense_is_refused(self, data):
        ours, theirs = os.pipe()
        os.write(theirs, data)
        os.close(theirs)
        with pytest.raises(SubjectFailed):
            read_frame(ours, within_s=5)
        os.close(ours)

    def test_pickled_arrays_are_refused(self):
        import io

        stream = io.BytesIO()
        np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        ours, theirs = os.pipe()
        os.write(theirs, struct.pack("<IQ", 2, len(stream.getvalue())) + b"{}" + stream.getvalue())
        with pytest.raises(SubjectFailed, match="no prediction"):
            read_frame(ours, within_s=5)
        os.close(ours)
        os.close(theirs)

    def test_silence_ends(self):
        ours, theirs = os.pipe()
        with pytest.raises(SubjectFailed, match="in time"):
            read_frame(ours, within_s=0.1)
        os.close(ours)
        os.close(theirs)
