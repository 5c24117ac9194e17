"""The text of the fixed report, byte by byte: a writer changes its output only on purpose."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MAKE = runpy.run_path(str(HERE / "make.py"))
FILES = sorted(MAKE["golden"]())


@pytest.mark.parametrize("name", FILES)
def test_output_is_what_was_agreed(name: str) -> None:
    expected = (HERE / name).read_text(encoding="utf-8")
    found = MAKE["golden"]()[name].decode()
    assert found == expected, "run `python tests/golden/make.py` if this change is wanted, and read the difference"


def test_no_golden_file_is_left_over() -> None:
    kept = {path.name for path in HERE.iterdir() if path.suffix in {".txt", ".md", ".xml", ".json", ".sarif"}}
    assert kept == set(FILES)
