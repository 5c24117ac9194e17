"""The bars of detection, false alarms, time and memory on the open corpus, and what holds for every file of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import redan
from redan.kernels.artifacts import Reading, inspect, inspect_bytes
from redan.kernels.artifacts.reading import worst

pytestmark = pytest.mark.corpus

SOURCE = Path(redan.__file__).resolve().parent.parent
SCRIPT = Path(__file__).with_name("inspect_each.py")

PICKLES = frozenset({
    "gadget", "stream", "container", "peer_picklescan", "peer_modelaudit", "peer_modelscan", "peer_picklescan_benign",
    "peer_modelaudit_benign", "b_sklearn", "b_torch", "b_joblib", "b_numpy", "b_python",
})  # fmt: skip
"""The classes whose files are pickles or contain them."""


def run_script(mode: str, cases, *flags: str, **environment: str):
    files = [str(file) for case in cases for file in case.files]
    done = subprocess.run(
        [sys.executable, *flags, str(SCRIPT), str(SOURCE), mode],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def readings(cases) -> dict[Path, Reading]:
    return {file: inspect(file) for case in cases for file in case.files}


@pytest.fixture(scope="module")
def verdicts(cases, readings) -> dict[str, str]:
    return {case.id: worst([readings[file].verdict for file in case.files]) for case in cases}


@pytest.fixture(scope="module")
def costs(cases):
    return run_script("forked", cases)


def ids(cases, verdicts, label: str, verdict: str, classes=None) -> list[str]:
    return [
        case.id
        for case in cases
        if case.label == label and verdicts[case.id] == verdict and (classes is None or case.cls in classes)
    ]


def count(cases, label: str, classes=None) -> int:
    return sum(case.label == label and (classes is None or case.cls in classes) for case in cases)


def test_corpus_has_cases_of_both_kinds(cases):
    assert count(cases, "malicious") >= 200
    assert count(cases, "benign") >= 50
    assert count(cases, "malicious", PICKLES) >= 150
    assert count(cases, "benign", PICKLES) >= 50


def test_no_hostile_file_is_safe(cases, verdicts):
    assert ids(cases, verdicts, "malicious", "safe") == []


def test_hostile_pickles_are_unsafe(cases, verdicts):
    hits = len(ids(cases, verdicts, "malicious", "unsafe", PICKLES))
    assert hits >= 0.95 * count(cases, "malicious", PICKLES)


def test_hostile_files_of_all_classes_are_unsafe(cases, verdicts):
    hits = len(ids(cases, verdicts, "malicious", "unsafe"))
    assert hits >= 0.99 * count(cases, "malicious"), ids(cases, verdicts, "malicious", "unknown")


def test_no_benign_file_is_unsafe(cases, verdicts):
    assert ids(cases, verdicts, "benign", "unsafe") == []


def test_few_benign_files_are_unknown(cases, verdicts):
    unknown = ids(cases, verdicts, "benign", "unknown")
    assert len(unknown) <= 0.03 * count(cases, "benign"), unknown


def test_every_unsafe_verdict_has_an_unsafe_reason_and_a_sentence(readings):
    for file, reading in readings.items():
        if reading.verdict == "unsafe":
            assert any(r.verdict == "unsafe" and len(r.message) > 10 for r in reading.reasons), file
        if reading.verdict == "safe":
            assert reading.complete, file
            assert reading.reasons == (), file


def test_no_case_crashes(costs):
    assert {file: one for file, one in costs.items() if one["status"] != 0} == {}


def test_forked_verdicts_are_those_of_this_process(costs, readings):
    assert {str(file): reading.verdict for file, reading in readings.items()} == {
        file: one["verdict"] for file, one in costs.items()
    }


def test_every_case_takes_less_than_a_second(costs):
    assert {file: one["cpu_s"] for file, one in costs.items() if one["cpu_s"] >= 1.0} == {}


def test_every_case_takes_less_than_256_mb(costs):
    assert {file: one["added_bytes"] for file, one in costs.items() if one["added_bytes"] >= 256 * 2**20} == {}


def test_inspection_imports_runs_writes_and_connects_nothing(cases):
    result = run_script("audited", cases)
    assert result["heard"] == []
    # The hook does notice: the script ends with a compilation and a deletion of its own.
    assert {"compile", "exec", "os.remove"} <= set(result["control"])


@pytest.mark.parametrize(("flags", "hash_seed"), [(("-S",), "0"), (("-S",), "4711"), (("-I", "-S"), "0")])
def test_readings_do_not_depend_on_what_is_installed(cases, readings, flags, hash_seed):
    import numpy  # noqa: F401  this process has frameworks, the other has none

    result = run_script("bare", cases, *flags, PYTHONHASHSEED=hash_seed)
    assert result["foreign"] == []
    other = {file: (one["verdict"], one["format"], one["reasons"]) for file, one in result["readings"].items()}
    assert other == {
        str(file): (r.verdict, r.format, [[q.kind, q.verdict, q.message, q.where] for q in r.reasons])
        for file, r in readings.items()
    }


def test_verdicts_do_not_depend_on_file_names(cases, readings):
    differ = Counter()
    for case in cases:
        for file in case.files:
            # A template is told from prose by its name, and a configuration names files beside it.
            if file.suffix == ".jinja" or len(case.files) > 1:
                continue
            if inspect_bytes(file.read_bytes(), "notes.txt").verdict != readings[file].verdict:
                differ[case.id] += 1
    assert differ == {}
