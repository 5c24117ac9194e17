"""The order of imports: what `lint-imports` is told, and that it holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_core_needs_only_the_standard_library() -> None:
    script = """
import importlib, pkgutil, sys
before = {name.partition(".")[0] for name in sys.modules}
import redan.core
for module in pkgutil.walk_packages(redan.core.__path__, "redan.core."):
    importlib.import_module(module.name)
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - set(sys.stdlib_module_names) - {"redan"}))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
