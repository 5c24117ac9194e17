"""Namespaces around the sandbox where bubblewrap is there and may make them: no network, no other processes to see.

Landlock and seccomp inside stay as they are, so what is lost without bubblewrap is a second wall, never the first.

Source: bubblewrap 0.8, bwrap(1).
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

# not looked up in PATH, which whoever starts us may have changed
_PROGRAMS = ("/usr/bin/bwrap", "/usr/local/bin/bwrap")
_WORDS = (
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--chdir",
    "/",
    "--",
)
_TRIAL_S = 10


@cache
def enclosing() -> tuple[str, ...]:
    """Return the words that put a program into namespaces of its own; none where bubblewrap is absent or is refused."""
    for program in _PROGRAMS:
        if Path(program).is_file() and _works(program):
            return (program, *_WORDS)
    return ()


def _works(program: str) -> bool:
    """Some systems install bubblewrap and let nobody make namespaces."""
    words = [program, *_WORDS, sys.executable, "-I", "-S", "-c", "pass"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=_TRIAL_S, check=False)  # noqa: S603  a fixed program
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
