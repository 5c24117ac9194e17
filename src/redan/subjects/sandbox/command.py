"""Runs a command of the user's in the sandbox and says what it asked for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.core.record import dataclass
from redan.subjects.sandbox.confinement import why_not
from redan.subjects.sandbox.tracing import Supervisor, Touched, listener_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOT = "import json,sys; sys.path[:]=json.loads(sys.argv[4]); import runpy; " + (
    "runpy.run_module(sys.argv[1], run_name='__main__')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Most of one process of the command; none of them bounds how many there are.

    Attributes:
        memory_bytes: address space.
        cpu_s: CPU time.
        file_bytes: size of one file.
    """

    memory_bytes: int = 64 << 30
    cpu_s: int = 24 * 3600
    file_bytes: int = 256 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, and what it may touch.

    Attributes:
        program: absolute path of the executable.
        words: argument vector, with the name first.
        environment: all of its environment.
        grants: paths with the rights below them, as `confinement` has them.
        limits: of each process.
        workers: let processes talk over Unix sockets.
        loopback: give it a network in which it is alone.
    """

    program: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    grants: tuple[tuple[str, int], ...]
    limits: Limits = Limits()
    workers: bool = False
    loopback: bool = False


def run_enclosed(command: Command) -> tuple[int, Touched]:
    """Run a command to its end; its words go where ours go.

    Returns:
        Its exit code (128 + n when signal n ended it), and what it asked for.

    Raises:
        UnsafeArtifact: this machine has no sandbox; nothing was run.
        SubjectFailed: the sandbox could not be closed, or the command could not be executed.
    """
    if reason := why_not():
        raise UnsafeArtifact(f"nothing was run: there is no sandbox: {reason}", hint="use Linux 6.7 or later")
    tasks, answers = os.pipe(), os.pipe()
    ours = json.dumps([str(Path(entry).absolute()) for entry in sys.path if entry])
    words = ("redan.subjects.sandbox.enclosed", str(tasks[0]), str(answers[1]), ours)
    child = subprocess.Popen(  # noqa: S603  our own interpreter with a fixed program, which becomes the user's command
        [sys.executable, "-I", "-B", "-c", _BOOT, *words],
        pass_fds=(tasks[0], answers[1]),
        start_new_session=True,
    )
    os.close(tasks[0])
    os.close(answers[1])
    with os.fdopen(answers[0], "rb") as said:
        try:
            _tell(tasks[1], command)
            supervisor = _supervised(child.pid, said.readline(), _families(command))
            try:
                failure = said.readline()
                code = child.wait()
            finally:
                _end(child)
                touched = supervisor.stop()
        finally:
            _end(child)
    if failure:
        raise _failed(failure)
    return (code if code >= 0 else 128 - code), touched


def _tell(pipe: int, command: Command) -> None:
    with os.fdopen(pipe, "wb") as file, suppress(BrokenPipeError):
        file.write(json.dumps(_task(command)).encode())


def _task(command: Command) -> dict[str, Any]:
    limits = command.limits
    return {
        "program": command.program,
        "words": list(command.words),
        "environment": dict(command.environment),
        "grants": list(command.grants),
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_s,
            "file_bytes": limits.file_bytes,
        },
        "workers": command.workers,
        "loopback": command.loopback,
    }


def _families(command: Command) -> frozenset[int]:
    unix = {socket.AF_UNIX} if command.workers or command.loopback else set()
    # a network device is looked up by a message to the kernel
    inet = {socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK} if command.loopback else set()
    return frozenset(map(int, unix | inet))


def _supervised(pid: int, line: bytes, families: frozenset[int]) -> Supervisor:
    try:
        number = int(json.loads(line)["listener"])
    except (ValueError, KeyError, TypeError):
        raise _failed(line) from None
    try:
        supervisor = Supervisor(listener_of(pid, number), families=families)
    except OSError as err:
        raise SubjectFailed(f"the sandbox cannot be watched: {err}", hint="may this user trace its children?") from err
    supervisor.start()
    return supervisor


def _failed(line: bytes) -> SubjectFailed:
    try:
        said = json.loads(line)["failed"]
    except (ValueError, KeyError, TypeError):
        said = "its process ended"
    return SubjectFailed(f"the command was not run: {said}", hint="its program and interpreter must be executable")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop what is left of the command's session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
