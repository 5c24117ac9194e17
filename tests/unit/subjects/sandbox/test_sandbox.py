"""What is not safe is loaded where it can do no harm, or not at all."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import subprocess
import sys
import textwrap
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
from redan.subjects.sandbox.filter import ARCHITECTURES, program
from redan.subjects.sandbox.frames import read_frame, write_frame

X, Y = load_iris(return_X_y=True)
needs_sandbox = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")


class Call:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Trojan:
    """A working classifier whose file also calls something."""

    def __init__(self, function, *arguments):
        self.model = LogisticRegression(max_iter=1000).fit(X, Y)
        self.call = Call(function, *arguments)


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
    module = type(sys)("some_unlisted_module")
    # an estimator together with a call that no list knows and that does nothing: not safe, and it works
    model = LogisticRegression(max_iter=1000).fit(X, Y)
    del module
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
    with pytest.raises(SubjectFailed, match="features|shape"):
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
    "make a folder": "__import__('os').mkdir({folder!r} + '/touched')",
    "start a program": "__import__('subprocess').run(['true'])",
    "start a program unseen": "__import__('_posixsubprocess')",
    "fork unseen": "__import__('ctypes').CDLL(None).fork() >= 0 or 1 / 0",
    "open a socket": "__import__('socket').create_connection(('127.0.0.1', {port}), 1)",
    "open a socket unseen": "__import__('ctypes').CDLL(None).socket(2, 1, 0) >= 0 or 1 / 0",
    "use io_uring": "__import__('ctypes').CDLL(None).syscall(425, 8, bytes(120)) >= 0 or 1 / 0",
    "signal us": "__import__('os').kill({parent}, 0)",
    "signal us unseen": "__import__('ctypes').CDLL(None).kill({parent}, 0) == 0 or 1 / 0",
    "trace us": "__import__('ctypes').CDLL(None).ptrace(16, {parent}, 0, 0) == 0 or 1 / 0",
    "execute unseen": "__import__('ctypes').CDLL(None).execv(b'/bin/true', None) == 0 or 1 / 0",
}
HARMLESS = {"start a program unseen"}


@needs_sandbox
def test_the_kernel_refuses_every_crime(tmp_path):
    """Each crime runs in one confined process without the audit hook: the kernel alone must refuse it."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "m.pkl").write_bytes(b"model")
    server = socket.create_server(("127.0.0.1", 0))
    facts = {"folder": str(tmp_path), "parent": os.getpid(), "port": server.getsockname()[1]}
    crimes = {name: crime.format(**facts) for name, crime in CRIMES.items() if name not in HARMLESS}
    program_text = textwrap.dedent(
        f"""
        import ctypes, os, socket, subprocess, sys
        from pathlib import Path
        from redan.subjects.sandbox.child import _SYSTEM
        from redan.subjects.sandbox.confinement import confine
        sys.stdout.write("ready ")
        confine([Path(p) for p in (*_SYSTEM, sys.prefix, sys.base_prefix, *sys.path, {str(tmp_path / "m.pkl")!r}) if p],
                memory_bytes=4 << 30, cpu_s=60)
        assert Path({str(tmp_path / "m.pkl")!r}).read_bytes() == b"model"
        done = []
        for name, crime in {crimes!r}.items():
            try:
                eval(crime)
            except (OSError, ZeroDivisionError):
                continue
            done.append(name)
        import threading
        thread = threading.Thread(target=lambda: done.append("thread"))
        thread.start(); thread.join()
        sys.stdout.write(repr(done))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program_text], capture_output=True, text=True, timeout=120, check=False, cwd="/",
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    server.close()
    assert done.stdout == "ready ['thread']", done.stderr
    assert (tmp_path / "m.pkl").read_bytes() == b"model"
    assert not (tmp_path / "touched").exists()


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
    with pytest.raises(UnsafeArtifact, match="no sandbox.*Landlock"):
        open_subject(hostile((os.getpid,)), trust=True)


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_the_filter_is_a_program_without_wild_jumps(machine):
    code = program(machine)
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
