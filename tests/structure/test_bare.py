"""An environment without any extra: light rooms import, heavy ones fail for want of a library, and users get advice."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

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
    "sqlalchemy",
    "alembic",
    "psycopg",
    "fsspec",
    "keyring",
    "hvac",
]

BARE = """
import json, sys

EXTRAS = frozenset(json.loads(sys.argv[1]))

class Absent:
    # answers like a finder of an environment in which these packages were never installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

IMPORT_ALL = """
import importlib, pkgutil, redan

outcomes = {}
for module in pkgutil.walk_packages(redan.__path__, "redan.", onerror=lambda name: None):
    try:
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            outcomes[module.name] = ""
    except ModuleNotFoundError as err:
        outcomes[module.name] = "extra" if (err.name or "").partition(".")[0] in EXTRAS else str(err)
    except ImportError as err:
        outcomes[module.name] = "extra" if getattr(err, "hint", "").startswith("pip install") else str(err)
    except BaseException as err:
        outcomes[module.name] = f"{type(err).__name__}: {err}"
print(json.dumps(outcomes))
"""

LIGHT = (
    "redan.core",
    "redan.cli",
    "redan.reports",
    "redan.evidence",
    "redan.runner",
    "redan.workbench",
    "redan.testing",
    "redan.kernels.artifacts",
    "redan.kernels.statistics",
    "redan.threats.supply_chain",
    "redan.subjects.files",
    "redan.subjects.open",
)

HEAVY = ("redan.evidence.store.", "redan.evidence.backup")
"""Below a light room, and needs the extra `store` all the same."""


def bare(script: str, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python lines in a process in which no extra can be imported."""
    command = [sys.executable, "-c", BARE + script, json.dumps(EXTRAS), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What importing each module came to: empty, ``extra`` for want of a library, or what went wrong."""
    done = bare(IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert len(found) > 50
    return found


def test_every_module_imports_or_lacks_only_an_extra(outcomes: dict[str, str]) -> None:
    assert {name: what for name, what in outcomes.items() if what not in ("", "extra")} == {}


def test_light_rooms_import_without_any_extra(outcomes: dict[str, str]) -> None:
    light = {name: what for name, what in outcomes.items() if name.startswith(LIGHT) and not name.startswith(HEAVY)}
    assert {name: what for name, what in light.items() if what} == {}


def test_scanning_works_without_any_extra(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"weights": [0.1]}))
    script = "sys.argv = ['redan', 'scan', 'x.pkl']\nfrom redan.cli.__main__ import main\nmain()"
    done = bare(script, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout


@pytest.mark.parametrize("data", ["digits", "x.csv", "x.npz"])
def test_attacking_names_the_extra_to_install(tmp_path: Path, data: str) -> None:
    (tmp_path / "model.py").write_text("def build():\n    import torch\n    return torch.nn.Linear(2, 2)\n")
    (tmp_path / "x.csv").write_text("a,b,label\n0.1,0.2,0\n")
    (tmp_path / "x.npz").write_bytes(b"PK\5\6" + bytes(18))
    words = ["redan", "attack", "model.py:build", "--data", data, "--eps", "0.1"]
    done = bare(f"sys.argv = {words!r}\nfrom redan.cli.__main__ import main\nmain()", folder=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert 'pip install "redan[' in done.stderr
    assert "bug" not in done.stderr
