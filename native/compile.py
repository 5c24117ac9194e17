"""Compiles `walk.c` with the C compiler that is there: ``python native/compile.py TARGET``.

TARGET is the file to write, such as `src/redan/kernels/artifacts/machine/_walk.abi3.so`. The compiler is `CC`, or the
one that this Python was built with; `CFLAGS` and `LDFLAGS` are honoured. Exit 0 when the module is there and loads;
exit 1, with one line on standard output that says why, when it is not: Redan then runs in Python alone.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("walk.c")
FLAGS = [
    "-std=c11",
    "-O2",
    "-DNDEBUG",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",
]
LONGEST_BUILD_S = 300


def why_not_tried() -> str:
    """Why a build is not even tried here; empty where it is."""
    if sys.implementation.name != "cpython":
        return f"the compiled core is for CPython, and this is {sys.implementation.name}"
    if sys.platform == "win32":
        return "the compiled core is not built on Windows"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "the stable ABI does not cover a CPython without the GIL"
    return ""


def command(target: Path) -> list[str]:
    """The compiler's command line."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    links = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    own = [*shlex.split(os.environ.get("CFLAGS", "")), *links, *shlex.split(os.environ.get("LDFLAGS", ""))]
    return [*compiler, *FLAGS, *own, f"-I{sysconfig.get_path('include')}", str(SOURCE), "-o", str(target)]


def build(target: Path) -> str:
    """Compile to `target` and load it once; empty, or why there is no compiled core now."""
    target.unlink(missing_ok=True)
    refused = why_not_tried()
    if refused:
        return refused
    words = command(target)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_BUILD_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no C compiler ran: {error}"
    if done.returncode != 0 or not target.is_file():
        said = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()[-1:]
        return f"{words[0]} did not compile it: {said[0].strip() if said else f'exit {done.returncode}'}"
    return why_not_loaded(target)


def why_not_loaded(target: Path) -> str:
    """Load the module once; remove it and say why if that fails."""
    loader = importlib.machinery.ExtensionFileLoader("_walk", str(target))
    try:
        spec = importlib.util.spec_from_file_location("_walk", target, loader=loader)
        importlib.util.module_from_spec(spec)
    except ImportError as error:
        target.unlink()
        return f"it compiled and does not load: {error}"
    return ""


if __name__ == "__main__":
    said = build(Path(sys.argv[1]))
    if said:
        print(said)
    raise SystemExit(bool(said))
