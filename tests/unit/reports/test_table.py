from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from redan.core.report import Artifact, Report, Unexamined
from redan.reports import table
from redan.reports.lines import bar


def test_the_first_line_is_the_verdict(report: Report) -> None:
    first = table.write(report).decode().split("\n", 1)[0]
    assert first == "FAIL: fashion_cnn (torch), gate high"


def test_one_line_tells_a_threat_with_bar_interval_and_sample(report: Report) -> None:
    line = next(line for line in table.write(report, width=120).decode().splitlines() if "evasion " in line)
    assert "robust accuracy" in line
    assert "[####" in line
    assert "69.3 %  66.4 to 72.1 %  n=1,000" in line


@pytest.mark.parametrize(
    ("value", "low", "high", "drawn"),
    [
        (0.5, 0.4, 0.6, "[####++----]"),
        (0.0, 0.0, 0.0, "[----------]"),
        (1.0, 1.0, 1.0, "[##########]"),
        (0.5, 0.5, 0.5, "[#####-----]"),
        (float("nan"), float("nan"), float("nan"), "[----------]"),
        (7.0, -3.0, float("inf"), "[++++++++++]"),
    ],
)
def test_a_bar_shows_the_interval(value: float, low: float, high: float, drawn: str) -> None:
    assert bar(value, low, high, 10) == drawn


def test_not_tested_is_said_and_never_called_safe(report: Report) -> None:
    text = table.write(report).decode()
    assert "bias          NOT TESTED" in text
    assert "not tested is not safe" in text
    assert "knockoff (RDN-THE-001)" in text
    nothing = replace(report, probes=(), findings=(), artifacts=(), unexamined=())
    assert "safe" not in table.write(nothing).decode()


def test_every_finding_that_counts_ends_with_what_to_type(report: Report) -> None:
    text = table.write(report, width=200).decode()
    for rule in ("RDN-EVA-001", "RDN-SUP-001", "RDN-SUP-003", "RDN-SUP-004"):
        assert f"next: redan explain {rule}" in text


def test_suppressed_findings_stay_visible_with_reason_and_expiry(report: Report) -> None:
    text = table.write(report, width=200).decode()
    assert "suppressed: trained by us in 2024, digest pinned (until 2027-03-31, from redan.toml [[ignore]])" in text
    assert "baseline: the baseline report has it already" in text


def test_files_that_are_not_safe_are_listed_by_folder_and_the_rest_counted(report: Report) -> None:
    text = table.write(report).decode()
    assert "Files: 1 unsafe, 2 unknown, 2 safe" in text
    assert text.index("UNSAFE evil.pkl") < text.index("UNKNOWN old.joblib")
    assert "README.md" not in text


def test_many_files_are_counted_where_they_are_not_listed(report: Report) -> None:
    files = tuple(Artifact(path=f"m/{k:04}.pkl", verdict="unsafe", reasons=()) for k in range(1041))
    assert (
        "and 1,001 more that are not safe: see the JSON report"
        in table.write(replace(report, artifacts=files)).decode()
    )


def test_many_unexamined_files_are_counted_and_never_push_out_a_probe(report: Report) -> None:
    files = tuple(Unexamined(path=f"{k}.py", why="no model artifact") for k in range(2000))
    text = table.write(replace(report, unexamined=files), width=200).decode()
    assert "Not tested, or not to the end (2004)" in text
    assert "and 1,964 more: see the JSON report" in text
    assert "failed: knockoff" in text


def test_widths_beyond_the_range_are_clamped(report: Report) -> None:
    assert table.write(report, width=5) == table.write(report, width=20)
    assert table.write(report, width=5000) == table.write(report, width=200)


def test_colour_is_only_there_when_asked_for(report: Report) -> None:
    assert b"\x1b" not in table.write(report)
    assert b"\x1b[1;31mFAIL" in table.write(report, colour=True)


def test_a_hostile_path_cannot_reach_the_terminal(report: Report) -> None:
    text = table.write(report, colour=False).decode()
    assert "\\x1b[31m模型🧨.pt" in text
    assert "\u202e" not in text


LIGHT = """
import sys
from redan.reports import json, table
heavy = {"torch", "numpy", "rich", "asyncio", "importlib.metadata", "logging", "redan.reports.html"} & set(sys.modules)
sys.exit(f"imported {sorted(heavy)}" if heavy else 0)
"""


def test_the_writers_of_a_scan_import_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
