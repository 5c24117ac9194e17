"""The fixed report that the golden files show, for tests of single writers."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redan.core.report import Report


@pytest.fixture(scope="session")
def made() -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).parents[2] / "golden" / "make.py"))


@pytest.fixture(scope="session")
def report(made: dict[str, Any]) -> Report:
    """The report with its pictures at hand."""
    found, blobs = made["report"]()
    whole: Report = replace(found, blobs=made["Blobs"](blobs))
    return whole
