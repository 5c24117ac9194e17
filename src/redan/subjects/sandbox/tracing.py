"""The supervisor of a command: the kernel asks it about every file that is opened, executed, and every socket.

It answers; what may be touched is decided by Landlock, not here, since another thread of the command may change a path
between question and use. Only sockets are decided here, by a number that nobody can change. So the trace is a record
of what was asked for, by native code too, and no wall. Source: Linux documentation, seccomp user-space notification;
seccomp_unotify(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

from redan.subjects.sandbox.filter import TRACED

MOST_TOUCHED = 100_000
"""Different paths kept of one command."""
_LONGEST_PATH = 4096
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTIFICATION, _ARGUMENTS, _ANSWER = struct.Struct("<QIIi"), struct.Struct("<6Q"), struct.Struct("<QqiI")
_NOTIFICATION_BYTES, _AT_ARGUMENTS = 80, 32
_CONTINUE = 1
_AT_FDCWD = -100
_PATIENCE_MS = 200
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_O_PATH = getattr(os, "O_PATH", 0)
_SYS_PIDFD_OPEN, _SYS_PIDFD_GETFD = 434, 438


@dataclass(slots=True, kw_only=True)
class Touched:
    """What a command asked for, each thing once.

    Attributes:
        read: absolute paths of existing files and folders that were opened for reading.
        written: absolute paths that were opened for writing.
        executed: absolute paths that were executed.
        sockets: families of sockets that were asked for, such as ``AF_INET``.
        cut: more was touched than is kept.
    """

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    executed: set[str] = field(default_factory=set)
    sockets: set[str] = field(default_factory=set)
    cut: bool = False


def listener_of(pid: int, number: int) -> int:
    """Take a copy of a file descriptor of a child.

    Raises:
        OSError: the child is gone, or the kernel refuses to look into it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.syscall(_SYS_PIDFD_OPEN, pid, 0)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "pidfd_open")
    try:
        copy = libc.syscall(_SYS_PIDFD_GETFD, handle, number, 0)
    finally:
        os.close(handle)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return int(copy)


class Supervisor(threading.Thread):
    """Answers until every process of the command has ended, or `stop` is called.

    Args:
        listener: the file descriptor on which the kernel asks; owned from now on.
        families: of sockets that may pass.
    """

    def __init__(self, listener: int, *, families: frozenset[int]) -> None:
        super().__init__(daemon=True, name="redan-supervisor")
        self.touched = Touched()
        self._listener = listener
        self._families = families
        self._names = {number: name for name, number in TRACED[platform.machine()].items()}
        self._stopped = threading.Event()

    def run(self) -> None:
        """Answer one question after another."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        try:
            while not self._stopped.is_set():
                events = poll.poll(_PATIENCE_MS)
                if events and events[0][1] & select.POLLIN:
                    self._answer()
                elif events:
                    break
        finally:
            os.close(self._listener)

    def stop(self) -> Touched:
        """End; what is still running can open nothing any more. Return what was touched."""
        self._stopped.set()
        self.join()
        return self.touched

    def _answer(self) -> None:
        question = bytearray(_NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, question)
        except OSError:
            return  # who asked has been killed meanwhile
        number, pid, _, call = _NOTIFICATION.unpack_from(question)
        arguments = _ARGUMENTS.unpack_from(question, _AT_ARGUMENTS)
        refusal = self._take(self._names.get(call, ""), pid, arguments)
        answer = _ANSWER.pack(number, 0, -refusal, 0 if refusal else _CONTINUE)
        try:
            fcntl.ioctl(self._listener, _SEND, bytearray(answer))
        except OSError:
            return  # as above

    def _take(self, call: str, pid: int, arguments: tuple[int, ...]) -> int:
        """Record one call; return the error number to answer with, 0 to let it go on to Landlock."""
        if call == "socket":
            return self._asked_for_socket(arguments[0])
        try:
            at, flags = _place(call, pid, arguments)
            path = _absolute(pid, at, _text(pid, arguments[1] if "at" in call else arguments[0]))
        except OSError:
            return 0  # a pointer to nowhere: the kernel will say so itself
        if call.startswith("exec"):
            self._keep(self.touched.executed, path)
        elif flags & _WRITING and not flags & _O_PATH:
            self._keep(self.touched.written, path)
        elif not flags & _O_PATH and os.path.lexists(path):
            self._keep(self.touched.read, path)
        return 0

    def _asked_for_socket(self, family: int) -> int:
        if family in self._families:
            return 0
        known = {f.value: f.name for f in socket.AddressFamily}
        self._keep(self.touched.sockets, known.get(family, f"family {family}"))
        return errno.EPERM

    def _keep(self, known: set[str], name: str) -> None:
        if len(known) < MOST_TOUCHED:
            known.add(name)
        elif name not in known:
            self.touched.cut = True


def _place(call: str, pid: int, arguments: tuple[int, ...]) -> tuple[int, int]:
    """Return the folder's descriptor that a path starts from, and the flags of opening."""
    if call == "open":
        return _AT_FDCWD, arguments[1]
    if call == "creat":
        return _AT_FDCWD, os.O_CREAT | os.O_WRONLY
    if call == "execve":
        return _AT_FDCWD, 0
    at = ctypes.c_int(arguments[0] & 0xFFFFFFFF).value
    if call == "openat2":
        return at, int.from_bytes(_memory(pid, arguments[2], 8), "little")
    return at, arguments[2] if call == "openat" else 0


def _absolute(pid: int, at: int, name: str) -> str:
    if not name.startswith("/"):
        folder = Path(f"/proc/{pid}/cwd" if at == _AT_FDCWD else f"/proc/{pid}/fd/{at}").readlink()
        name = f"{folder}/{name}"
    return os.path.normpath(name)


def _text(pid: int, address: int) -> str:
    # a read across the end of a page that is not there fails as a whole, so it goes page by page
    found = b""
    while len(found) < _LONGEST_PATH and b"\0" not in found:
        found += _memory(pid, address + len(found), min(4096 - (address + len(found)) % 4096, 256))
    return os.fsdecode(found.partition(b"\0")[0])


def _memory(pid: int, address: int, n: int) -> bytes:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        file.seek(address)
        data = file.read(n)
    if not data:
        raise OSError(errno.EFAULT, "nothing there")
    return data
