"""Names what a loading process resolves and tries, at the moment it does, through Python's audit events.

The kernel refuses; this only gives names. Each name leaves the process before the act itself, so that code which runs
later cannot take it back; it can only add. Source: Python library reference, audit events table; PEP 578.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_NAMES = 20_000
"""Different names told of one load."""
_LONGEST = 200

_STARTS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.", "pty.")
_REACHES = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "telnetlib.")
_CHANGES = frozenset(
    f"os.{word}"
    for word in [
        "remove",
        "rename",
        "rmdir",
        "mkdir",
        "link",
        "symlink",
        "truncate",
        "chmod",
        "chown",
        "chflags",
        "lockf",
        "utime",
        "setxattr",
        "removexattr",
    ]
)
_SIGNALS = frozenset({"os.kill", "os.killpg", "signal.pthread_kill", "resource.prlimit"})
_LOOKS = frozenset({"os.listdir", "os.scandir"})
_NATIVE = frozenset(
    [
        "fork",
        "vfork",
        "clone",
        "system",
        "popen",
        "execv",
        "execve",
        "execvp",
        "execl",
        "posix_spawn",
        "socket",
        "connect",
        "bind",
        "sendto",
        "kill",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "prctl",
        "mount",
        "unshare",
        "setns",
        "syscall",
        "bpf",
    ]
)
"""Functions of the C library that no model needs; looked up through ctypes they go round the other events."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TELLING = (str, bytes, os.PathLike, list, tuple)
_IMPORTER = "<frozen importlib._bootstrap>"


class Watch:
    """An audit hook that tells names until the process ends.

    Args:
        tell: is given ``resolved``, ``imported`` or ``tried`` and the name.
        readable: absolute paths that may be read.
        silent: paths that libraries open, or make where they exist already, as a matter of course.
    """

    def __init__(self, tell: Callable[[str, str], None], readable: tuple[str, ...], silent: frozenset[str]) -> None:
        self._tell = tell
        self._roots = tuple(os.path.realpath(path) for path in readable)
        self._silent = silent
        self._told: set[tuple[str, str]] = set()
        self._busy = False

    def arm(self) -> None:
        """Start; it cannot be stopped."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            refused = self._named(event, arguments)
        finally:
            self._busy = False
        if refused:
            raise PermissionError(f"refused in the sandbox: {refused}")

    def _named(self, event: str, arguments: tuple[Any, ...]) -> str:
        """Tell what an event is; return what must not go on."""
        if event == "pickle.find_class":
            self._once("resolved", f"{arguments[0]}.{arguments[1]}")
        elif event == "import":
            self._once("imported", str(arguments[0]))
        elif event == "open":
            self._opened(*arguments)
        elif event in _LOOKS:
            self._looked(event, arguments[0])
        elif event == "os.mkdir" and _shown(arguments[0]) in self._silent:
            return ""
        elif _is_refused(event, arguments):
            words = ", ".join(_shown(each) for each in arguments[:3] if isinstance(each, _TELLING))
            self._once("tried", f"{event}({words})")
            return event
        return ""

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        name = _shown(path)
        if name in self._silent or isinstance(path, int):
            return
        if isinstance(flags, int) and flags & _WRITING:
            self._once("tried", f"open({name}) for writing")
        elif not self._may_read(path) and not _while_importing():
            self._once("tried", f"open({name}) for reading")

    def _looked(self, event: str, path: Any) -> None:
        if not isinstance(path, int) and not self._may_read(path or ".") and not _while_importing():
            self._once("tried", f"{event}({_shown(path)})")

    def _may_read(self, path: Any) -> bool:
        try:
            real = os.path.realpath(os.fsdecode(path))
        except (TypeError, ValueError):
            return False
        own = f"/proc/{os.getpid()}"
        return any(real == root or real.startswith(f"{root.rstrip('/')}/") for root in (*self._roots, own))

    def _once(self, kind: str, name: str) -> None:
        key = (kind, name[:_LONGEST])
        if key not in self._told and len(self._told) < MOST_NAMES:
            self._told.add(key)
            self._tell(*key)


def _is_refused(event: str, arguments: tuple[Any, ...]) -> bool:
    if event.startswith("ctypes.dlsym"):
        return bool(arguments[1:]) and str(arguments[1]) in _NATIVE
    return event.startswith((*_STARTS, *_REACHES)) or event in _CHANGES or event in _SIGNALS


def _shown(value: Any) -> str:
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else repr(value)[:80]


def _while_importing() -> bool:
    """Whether an installed library is being imported: what it looks for on the machine is its own affair."""
    frame = sys._getframe()
    at: Any = frame
    while at is not None:
        if at.f_code.co_filename == _IMPORTER:
            return True
        at = at.f_back
    return False
