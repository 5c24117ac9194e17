"""Facts about a run that let another person repeat it: machine, versions, threads."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import redan

_LIBRARIES = (
    "numpy",
    "torch",
    "sklearn",
    "xgboost",
    "lightgbm",
    "onnxruntime",
    "keras",
    "transformers",
    "PIL",
    "pyarrow",
)


def versions() -> dict[str, str]:
    """Return versions of Redan, Python and those libraries that took part, that is, were imported."""
    found = {"redan": redan.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType) and hasattr(module, "__version__"):
            found[name] = str(module.__version__)
    return found


def threads() -> int:
    """Return how many threads torch uses, or how many the environment allows when torch took no part."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() else os.cpu_count() or 1


def machine() -> str:
    """Return processor architecture, operating system and number of processors."""
    if not hasattr(os, "uname"):
        return f"{sys.platform}, {os.cpu_count()} processors"
    system = os.uname()
    return f"{system.machine} {system.sysname} {system.release}, {os.cpu_count()} processors"
