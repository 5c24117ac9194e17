"""The completeness grade that another tool gives our bill of materials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEAST_SCORE = 95


@pytest.fixture
def aisbom() -> Path:
    """The peer in an environment of its own, below REDAN_PEERS or .peers of the repository."""
    peer = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers")) / "aisbom-cli" / "bin" / "aisbom"
    if not peer.is_file():
        pytest.skip(f"no aisbom-cli at {peer}; set REDAN_PEERS")
    return peer


def test_the_example_is_complete_in_the_eyes_of_aisbom(aisbom: Path, tmp_path: Path) -> None:
    bill = tmp_path / "bom.cdx.json"
    make = [sys.executable, "-m", "redan.cli", "bom", "make", "examples/bom", "--env", sys.prefix, "-o", str(bill)]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    words = [str(aisbom), "score", "--offline", "--json", str(bill)]
    quiet = {**os.environ, "AISBOM_OFFLINE": "1", "AISBOM_NO_TELEMETRY": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=quiet)
    score = json.loads(done.stdout)
    print(f"aisbom score: {score['overall']} ({score['grade']})")
    assert score["overall"] >= LEAST_SCORE, score["dimensions"]
