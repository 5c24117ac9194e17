"""Runs a Python program under the seccomp profile of the container, as a container's runtime would.

Usage: python confined.py PROFILE.json SCRIPT.py [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import json
import runpy
import sys
from pathlib import Path
from typing import Any

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPERATORS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}


class Comparison(ctypes.Structure):
    """libseccomp's ``scmp_arg_cmp``."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def confine(profile: dict[str, Any]) -> None:
    """Load a profile into this process, for good."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ERRNO | profile["defaultErrnoRet"])))
    for group in profile["syscalls"]:
        action = ALLOW if group["action"] == "SCMP_ACT_ALLOW" else ERRNO | group["errnoRet"]
        compared = [
            Comparison(
                arg["index"],
                OPERATORS[arg["op"]],
                arg["value"],
                arg.get("valueTwo", 0),
            )
            for arg in group.get("args", [])
        ]
        for name in group["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number == -1:
                raise SystemExit(f"{name} is no system call")
            array = (Comparison * len(compared))(*compared)
            failed = library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(compared), array)
            if failed and number >= 0:
                raise SystemExit(f"{name}: {failed}")
    if library.seccomp_load(context):
        raise SystemExit("the profile cannot be loaded here")


if __name__ == "__main__":
    confine(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
