"""Starts and ends the processes of the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from redan.subjects.sandbox.namespaces import enclosing

_BOOT = "import json,os,sys; sys.path[:]=json.loads(os.environ['REDAN_SANDBOX_PATH']); import runpy; " + (
    "runpy.run_module(sys.argv[1], run_name='__main__')"
)


def started(module: str) -> subprocess.Popen[bytes]:
    """Start the interpreter on one of our modules, with nothing of our environment but what libraries need."""
    environment = {
        "REDAN_SANDBOX_PATH": json.dumps([str(Path(entry).absolute()) for entry in sys.path if entry]),
        "KERAS_BACKEND": "torch",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "HOME": "/nonexistent",
        # torch's compiler makes this folder when Keras imports it; one that exists needs no making
        "TORCHINDUCTOR_CACHE_DIR": "/",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.Popen(  # noqa: S603  our own interpreter with a fixed program
        [*enclosing(), sys.executable, "-I", "-B", "-c", _BOOT, module],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        close_fds=True,
    )


def ended(child: subprocess.Popen[bytes]) -> None:
    """Stop a process and close its pipes."""
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()


def printable(text: Any) -> str:
    """Make text from inside harmless to a terminal and of readable length."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:300]
