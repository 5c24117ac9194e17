"""What every process of the sandbox does first: it keeps its pipes for frames and confines itself."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MEMORY_BYTES = 16 << 30
CPU_S = 3600

SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
)
"""What numerical libraries read. Not /proc as a whole: it holds the environment of other processes."""


def take_pipes() -> tuple[int, int]:
    """Keep the pipes for frames alone: what the model prints must not end up in an answer."""
    questions, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    return questions, answers


def enter(readable: Iterable[str]) -> tuple[str, ...]:
    """Confine this process; return all that it may still read.

    Args:
        readable: files and folders beside the system's libraries and the interpreter's own.

    Raises:
        SubjectFailed: the kernel refused one of the steps; nothing must be loaded then.
    """
    from redan.subjects.sandbox.confinement import confine

    paths = tuple(path for path in (*SYSTEM, sys.prefix, sys.base_prefix, *sys.path, *readable) if path)
    # libraries ask for the name of this folder while they are imported; nothing can be written there or anywhere
    tempfile.tempdir = "/nonexistent"
    # Keras imports it where it is installed, it wants a folder to write to, and no model needs it
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # how an import is refused
    confine([Path(path) for path in paths], memory_bytes=MEMORY_BYTES, cpu_s=CPU_S)
    return paths
