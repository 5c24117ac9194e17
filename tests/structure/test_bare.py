"""Every module in an environment without any extra: it imports, or says which extra it lacks."""

from __future__ import annotations

import json
import subprocess
import sys

EXTRAS = [
    "torch",
    "numpy",
    "scipy",
    "sklearn",
    "joblib",
    "xgboost",
    "lightgbm",
    "onnx",
    "onnxruntime",
    "transformers",
    "tokenizers",
    "safetensors",
    "keras",
    "pandas",
    "pyarrow",
    "PIL",
]

SCRIPT = """
import importlib, json, pkgutil, sys

EXTRAS = frozenset(json.loads(sys.argv[1]))

class Absent:
    # answers like a finder of an environment in which these packages were never installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())

import redan
from redan.core.errors import MissingDependency

faults = {}
for module in pkgutil.walk_packages(redan.__path__, "redan.", onerror=lambda name: None):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except MissingDependency as err:
        if "pip install" not in err.hint:
            faults[module.name] = f"no advice: {err.message}"
    except BaseException as err:
        faults[module.name] = f"{type(err).__name__}: {err}"
print(json.dumps(faults))
"""


def test_every_module_imports_or_names_its_extra() -> None:
    words = [sys.executable, "-c", SCRIPT, json.dumps(EXTRAS)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {}
