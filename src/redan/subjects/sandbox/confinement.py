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
SCOPING_LANDLOCK = 6
"""From here on signals to processes outside can be refused one by one; before, all signals are."""

_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION_FLAG = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
# remove folders and files; make folders, files, sockets, pipes and links; move between folders
_CHANGE_DIR = (1 << 4) | (1 << 5) | (0b101111 << 7) | (1 << 13)
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = _READ_FILE | _READ_DIR
"""Rights to read a file, or a folder and all below it."""
EXECUTE = READ | _EXECUTE
"""The same, and to run what lies there."""
WRITE = READ | _WRITE_FILE | _TRUNCATE | _CHANGE_DIR
"""Rights to read, write, make and remove; no devices can be made."""
DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
"""Rights to use a device."""
# rights that each version of the interface can refuse: files, sub-folders, links, truncation, device controls
_FILE_RIGHTS = {4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_RIGHTS = 0b11
_SCOPES = 0b11  # abstract sockets and signals to processes outside
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_FILTER = 2
_SECCOMP_SET_MODE_FILTER, _SECCOMP_NEW_LISTENER = 1, 8
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
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
        begin(memory_bytes=memory_bytes, cpu_s=cpu_s, file_bytes=0)
        restrict_files([(path, READ) for path in readable])
        drop_capabilities()
        _prctl(_PR_SET_DUMPABLE, 0)
        install_filter(program(platform.machine()))
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


def begin(*, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Set the limits, die with the parent, and never gain a right by executing something.

    Raises:
        OSError: the kernel refused.
    """
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 512),
    ):
        ceiling = resource.getrlimit(kind)[1]
        value = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(kind, (value, value))
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def restrict_files(grants: Sequence[tuple[Path, int]], *, tcp: bool = False) -> None:
    """Leave nothing of the file system and of TCP but some rights below some paths; one that is missing is left out.

    Args:
        grants: paths and the rights below them.
        tcp: leave TCP as it is.

    Raises:
        OSError: the kernel refused.
    """
    version = landlock_version()
    rights = _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]
    network = 0 if tcp else _TCP_RIGHTS
    words = (rights, network, _SCOPES) if version >= SCOPING_LANDLOCK else (rights, network)
    attributes = struct.pack(f"<{len(words)}Q", *words)
    libc = _libc()
    ruleset = _checked(libc.syscall(_SYS_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock_create_ruleset")
    for path, granted in grants:
        _allow(ruleset, path, granted & rights)
    _checked(libc.syscall(_SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _allow(ruleset: int, path: Path, granted: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what is not there needs no right
    try:
        rule = struct.pack("<Qi", granted if path.is_dir() else granted & _OF_A_FILE, handle)
        _checked(_libc().syscall(_SYS_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {path.name}")
    finally:
        os.close(handle)


def drop_capabilities() -> None:
    """Give up every capability, root's too.

    Raises:
        OSError: the kernel refused.
    """
    header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc().capset(header, bytes(24)), "capset")


def install_filter(code: bytes) -> None:
    """Install a seccomp filter.

    Raises:
        OSError: the kernel refused.
    """
    buffer, header = _sock_fprog(code)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, header)
    del buffer


def install_traced_filter(code: bytes) -> int:
    """Install a seccomp filter that asks a supervisor; return the file descriptor on which it is asked.

    Raises:
        OSError: the kernel refused, or another supervisor watches this process already.
    """
    buffer, header = _sock_fprog(code)
    number = _SYS_SECCOMP[platform.machine()]
    handle = _libc().syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_NEW_LISTENER, header)
    del buffer
    return _checked(handle, "seccomp with a listener")


def _sock_fprog(code: bytes) -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]:
    """The program and its header: number of instructions, pointer to them; the first must outlive the second."""
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    return buffer, ctypes.create_string_buffer(header, len(header))
