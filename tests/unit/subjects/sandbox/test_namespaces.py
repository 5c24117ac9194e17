"""Bubblewrap around the sandbox, where this machine has it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from redan.subjects.sandbox.namespaces import enclosing


def test_inside_there_is_no_network_and_no_other_process() -> None:
    words = enclosing()
    if not words:
        pytest.skip("bubblewrap is not installed, or may not make namespaces")
    look = (
        "import os; print(sorted(os.listdir('/sys/class/net')), sum(n.isdigit() for n in os.listdir('/proc')),"
        " len(open('/proc/net/dev').readlines()))"
    )
    done = subprocess.run([*words, sys.executable, "-I", "-c", look], capture_output=True, text=True, check=True)
    _, n_processes, n_lines = done.stdout.rsplit(" ", 2)
    assert int(n_processes) <= 2
    assert int(n_lines) == 3  # two lines of titles, and the loopback
    written = subprocess.run(
        [*words, sys.executable, "-I", "-c", "open('/tmp/x', 'w')"], capture_output=True, check=False
    )
    assert b"Read-only file system" in written.stderr


def test_a_program_that_may_not_make_namespaces_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redan.subjects.sandbox.namespaces._PROGRAMS", ("/bin/false", "/nonexistent"))
    enclosing.cache_clear()
    try:
        assert enclosing() == ()
    finally:
        enclosing.cache_clear()
