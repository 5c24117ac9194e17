"""The verbs that people wait for import nothing heavy, with every extra installed."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numpy", "rich", "scipy", "sklearn", "pandas", "PIL", "asyncio", "importlib.metadata", "sqlite3")

SCRIPT = """
import json, sys
sys.argv = ["redan", *json.loads(sys.argv[1])]
from redan.cli.__main__ import main
try:
    main()
except SystemExit as ending:
    code = ending.code
with open({out!r}, "w") as file:
    json.dump({{"code": code, "modules": sorted(sys.modules)}}, file)
"""


def loaded(words: list[str], folder: Path) -> tuple[int, set[str]]:
    """Run the command line in a process of its own; return its exit code and what it imported."""
    out = folder / "modules.json"
    script = SCRIPT.format(out=str(out))
    subprocess.run([sys.executable, "-c", script, json.dumps(words)], cwd=folder, capture_output=True, check=True)
    found = json.loads(out.read_text())
    return found["code"], set(found["modules"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a scan, and the pickle it is about beside it."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "x.pkl").write_bytes(pickle.dumps({"weights": [0.1, 0.2]}))
    code, _ = loaded(["scan", "x.pkl", "--format", "json", "-o", "report.json"], folder)
    assert code == 0
    return folder / "report.json"


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["scan", "--help"],
        ["check", "--help"],
        ["list"],
        ["explain", "RDN-SUP-001"],
        ["scan", "x.pkl"],
        ["scan", "x.pkl", "--format", "json"],
        ["scan", "x.pkl", "--format", "sarif"],
        ["report", "report.json"],
        ["report", "report.json", "--format", "html"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words: list[str], report: Path) -> None:
    code, modules = loaded(words, report.parent)
    assert code == 0
    assert sorted(modules & set(HEAVY)) == []


def test_importing_the_package_imports_no_other_module_of_it() -> None:
    script = "import sys, redan; print(*sorted(name for name in sys.modules if name.startswith('redan')))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["redan"]
