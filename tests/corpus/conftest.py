"""The open part of the supply chain corpus: what each case is, and which files it consists of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    cls: str
    label: str
    files: tuple[Path, ...]


@pytest.fixture(scope="session")
def manifest(shared: Path) -> Path:
    path = shared / "corpus" / "supply_chain" / "manifest.json"
    if not path.is_file():
        pytest.skip(f"no corpus at {path}")
    return path


@pytest.fixture(scope="session")
def cases(manifest: Path) -> tuple[Case, ...]:
    found = []
    for entry in json.loads(manifest.read_text()):
        path = manifest.parent / entry["path"]
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found.append(Case(id=entry["id"], cls=entry["cls"], label=entry["verdict"], files=tuple(files)))
    return tuple(found)
