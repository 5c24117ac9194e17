"""What the project says about its dependencies in one place agrees with what it says in another."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    """Return the distributions that requirements ask for, without the project itself."""
    return {re.split(r"[^\w.-]", text, maxsplit=1)[0].lower() for text in requirements} - {"redan"}


def direct() -> set[str]:
    """Return every distribution that the project names."""
    lists = [PROJECT["project"]["dependencies"]]
    lists += PROJECT["project"]["optional-dependencies"].values()
    lists += PROJECT["dependency-groups"].values()
    return set().union(*(names(found) for found in lists))


def pins() -> dict[str, str]:
    """Return the pinned versions by distribution."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_constraints_pin_every_named_distribution_and_no_other() -> None:
    assert set(pins()) == direct() | {"pip"}


def test_the_extra_all_has_every_extra() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert set(everything.removeprefix("redan[").removesuffix("]").split(",")) == set(extras) - {"all"}


def test_torch_is_installed_in_the_pinned_version() -> None:
    installer = (ROOT / "scripts" / "install_torch.py").read_text(encoding="utf-8")
    assert f'VERSION = "{pins()["torch"]}"' in installer


def test_the_torch_installer_does_nothing_when_torch_is_there() -> None:
    pytest.importorskip("torch")
    # an index that cannot answer: asking it for anything would fail
    words = [sys.executable, ROOT / "scripts" / "install_torch.py", "http://127.0.0.1:9/"]
    assert subprocess.run(words, capture_output=True, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("script", [".ci/run", "scripts/check.sh", "scripts/demo.sh"])
def test_shell_scripts_parse_and_are_bash(script: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    assert (ROOT / script).read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    assert subprocess.run([bash, "-n", ROOT / script], capture_output=True, check=False).returncode == 0
