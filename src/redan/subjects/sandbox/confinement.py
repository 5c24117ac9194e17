"""Takes rights away from the process that calls it, for good: Landlock, seccomp, capabilities, resource limits.

All of it is Linux system calls through ctypes, needs no privilege and cannot be undone. What the kernel does not offer
is an error, never a lesser sandbox.

Sources: Landlock and seccomp user-space API of the Linux documentation; Landlock ABI 4 or later is required, since
earlier ones cannot refuse TCP.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from typing import TYPE_CHECKING

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.subjects.sandbox.filter import ARCHITECTURES, program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from redan.subjects.gate import Admitted

OLDEST_LANDLOCK = 4

_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION_FLAG = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# rights that each version of the interface can refuse: files, sub-folders, links, truncation, device controls
_FILE_RIGHTS = {4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_RIGHTS = 0b11
_SCOPES = 0b11  # abstract sockets and signals to processes outside
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9

_state = {"confined": False}


def landlock_version() -> int:
    """Return the version of Landlock that this kernel offers; 0 when it offers none."""
    if not sys.platform.startswith("linux"):
        return 0
    found = _libc().syscall(_SYS_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION_FLAG)
    return max(int(found), 0)


def why_not() -> str:
    """Say why this machine cannot confine a process; empty when it can."""
    if not sys.platform.startswith("linux"):
        return f"the sandbox needs Linux and this is {sys.platform}"
    if platform.machine() not in ARCHITECTURES:
        return f"the sandbox knows {', '.join(ARCHITECTURES)} and this is {platform.machine()}"
    version = landlock_version()
    if version < OLDEST_LANDLOCK:
        return f"the sandbox needs Landlock {OLDEST_LANDLOCK} (Linux 6.7) and this kernel offers {version or 'none'}"
    return ""


def insist_on_safety(admitted: Admitted) -> None:
    """The last gate before code from a file runs: it was found safe, or this process is confined.

    Raises:
        UnsafeArtifact: neither.
    """
    if not admitted.safe and not _state["confined"]:
        raise UnsafeArtifact(f"{admitted.path.name!r} was not found safe and this process is not confined")


def confine(readable: Sequence[Path], *, memory_bytes: int, cpu_s: int) -> None:
    """Confine this process and all its threads to come. Call it while there is one thread.

    Args:
        readable: files and folders that may still be read; all else can neither be read nor written.
        memory_bytes: most address space.
        cpu_s: most CPU time.

    Raises:
        SubjectFailed: the kernel refused one of the steps; nothing must be loaded then.
    """
    reason = why_not()
    if reason:
        raise SubjectFailed(reason)
    try:
        _limit(memory_bytes, cpu_s)
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _restrict_files(readable, landlock_version())
        _drop_capabilities()
        _prctl(_PR_SET_DUMPABLE, 0)
        _install_filter()
    except OSError as err:
        raise SubjectFailed(f"the sandbox could not be closed: {err}") from err
    _state["confined"] = True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, pointer: object = 0) -> None:
    _checked(_libc().prctl(option, ctypes.c_ulong(value), pointer or ctypes.c_ulong(0), 0, 0), f"prctl {option}")


def _limit(memory_bytes: int, cpu_s: int) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 512),
    ):
        ceiling = resource.getrlimit(kind)[1]
        value = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(kind, (value, value))


def _restrict_files(readable: Sequence[Path], version: int) -> None:
    rights = _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]
    words = (rights, _TCP_RIGHTS, _SCOPES) if version >= 6 else (rights, _TCP_RIGHTS)
    attributes = struct.pack(f"<{len(words)}Q", *words)
    libc = _libc()
    ruleset = _checked(libc.syscall(_SYS_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset")
    for path in readable:
        _allow_reading(ruleset, path)
    _checked(libc.syscall(_SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow_reading(ruleset: int, path: Path) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what is not there needs no right
    try:
        allowed = _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE
        rule = struct.pack("<Qi", allowed, handle)
        _checked(_libc().syscall(_SYS_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {path.name}")
    finally:
        os.close(handle)


def _drop_capabilities() -> None:
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, bytes(24)), "capset")


def _install_filter() -> None:
    code = program(platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: number of instructions, pointer to them
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.create_string_buffer(header, len(header)))
