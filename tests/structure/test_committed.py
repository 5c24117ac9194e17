"""What may not be in a committed file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# written in parts, so that this file does not find itself
OUR_MACHINE = ("/".join(("", "work", "")), "/".join(("", "tmp", "brief")), str(ROOT) + "/")
LARGEST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """Every file that git tracks."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_path_of_a_developers_machine(committed: list[Path]) -> None:
    found = []
    for file in committed:
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{file.relative_to(ROOT)}: {path}" for path in OUR_MACHINE if path in text]
    assert found == []


def test_no_large_file(committed: list[Path]) -> None:
    assert [str(f.relative_to(ROOT)) for f in committed if f.stat().st_size > LARGEST_BYTES] == []


def test_nothing_generated_by_tools_is_committed(committed: list[Path]) -> None:
    unwanted = {"__pycache__", ".venv", "site", "dist", "build", ".redan", ".cache"}
    assert [str(f.relative_to(ROOT)) for f in committed if unwanted & set(f.relative_to(ROOT).parts)] == []
