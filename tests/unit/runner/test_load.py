"""`redan.load`: an object only of a file that scan and rehearsal agree on."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import redan
from redan.core.errors import SubjectFailed, Unreadable, UnsafeArtifact
from redan.runner.load import rehearse
from redan.subjects.sandbox import confinement
from redan.subjects.sandbox.rehearsing import Rehearsal

pytestmark = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")
MODEL = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])


class Call:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> object:
        return self.call


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(MODEL))
    return path


def test_a_safe_file_is_returned_as_its_object(honest: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(redan.load(honest).predict(np.eye(4)), MODEL.predict(np.eye(4)))
    torch.save(torch.nn.Linear(4, 3).state_dict(), tmp_path / "w.pt")
    assert redan.load(tmp_path / "w.pt", rehearsal=False)["weight"].shape == (3, 4)


def test_an_unsafe_file_is_refused_and_with_trust_stays_in_the_sandbox(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps([Call(os.system, f"touch {tmp_path / 'marker'}")]))
    with pytest.raises(UnsafeArtifact, match=r"posix\.system"):
        redan.load(path)
    with pytest.raises(SubjectFailed, match=r"os\.system"):
        redan.load(path, trust=True)
    assert not (tmp_path / "marker").exists()


def test_a_scan_that_missed_something_is_overruled(honest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Rehearsal(type="dict", resolved=("evil.name",), unseen=("evil.name",))
    monkeypatch.setattr("redan.subjects.sandbox.rehearsing.rehearse", lambda path, reading: seen)
    with pytest.raises(UnsafeArtifact, match=r"evil\.name"):
        redan.load(honest)
    report = rehearse(honest)
    assert report.gate.exit_code == 1
    assert {f.rule for f in report.findings} == {"RDN-SUP-006", "RDN-SUP-007"}


def test_what_has_no_loader_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + bytes(20))
    with pytest.raises((Unreadable, UnsafeArtifact)):
        redan.load(path)
    report = rehearse(path)
    assert report.gate.exit_code in (1, 3)
    assert [ran.outcome for ran in report.probes] == ["ran", "failed"]


def test_a_report_counts_names_and_acts(honest: Path) -> None:
    report = rehearse(honest)
    assert report.gate.exit_code == 0
    assert report.quantity("resolved_names").value == 4
    assert report.quantity("refused_acts").value == report.quantity("unseen_names").value == 0
    assert "coef_" in report.evidence("loaded")
