"""The scanner's probe: which files it looks at, and what it says of each."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from redan.core.errors import Unreadable
from redan.core.finding import Finding, Severity
from redan.core.report import Artifact, Unexamined
from redan.kernels.artifacts.reading import Reason
from redan.subjects.files import FilesSubject
from redan.threats.supply_chain.probes.artifacts import examine, rule_of

BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


def said(path: Path) -> tuple[list[Artifact], list[Finding], list[Unexamined]]:
    answers = list(examine(path, path.name, subject_name="models"))
    return (
        [a for a in answers if isinstance(a, Artifact)],
        [a for a in answers if isinstance(a, Finding)],
        [a for a in answers if isinstance(a, Unexamined)],
    )


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_safe_file_is_an_artifact_without_findings(tmp_path):
    path = written(tmp_path, "m.pkl", pickle.dumps([1, 2], 4))
    (artifact,), findings, skipped = said(path)
    assert (artifact.verdict, artifact.format, artifact.reasons) == ("safe", "pickle", ())
    assert artifact.size_bytes == path.stat().st_size
    assert (findings, skipped) == ([], [])


def test_hostile_file_has_a_critical_finding_with_place_and_call_graph(tmp_path):
    (artifact,), findings, _ = said(written(tmp_path, "m.pkl", BAD))
    assert artifact.verdict == "unsafe"
    (finding,) = findings
    assert (finding.rule, finding.severity, finding.status) == ("RDN-SUP-002", Severity.CRITICAL, "open")
    assert finding.params == {"kind": "denied-import"}
    (location,) = finding.locations
    assert (location.uri, location.address) == ("m.pkl", "byte 2")
    assert artifact.reasons[0].endswith("(byte 2)")
    (evidence,) = finding.evidence
    assert (evidence.name, evidence.media_type) == ("call_graph", "application/json")


def test_call_graph_is_the_reading_as_json(tmp_path):
    _, (finding,), _ = said(written(tmp_path, "m.pkl", BAD))
    (evidence,) = finding.evidence
    rows = json.loads(evidence.payload)
    assert rows == [
        {"callable": "os.system", "arguments": "('true',)", "how": "REDUCE", "stream": "", "offset": len(BAD) - 2}
    ]


def test_call_graph_stands_with_the_first_finding_only(tmp_path):
    two = b"\x80\x02cos\nsystem\n(S'true'\ntR0cposix\npopen\n(S'true'\ntR."
    _, findings, _ = said(written(tmp_path, "m.pkl", two))
    assert [len(finding.evidence) for finding in findings] == [1, 0]


def test_archive_that_leaves_its_folder_breaks_another_rule(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("../evil.pkl", pickle.dumps(1))
    _, (finding,), _ = said(tmp_path / "m.zip")
    assert (finding.rule, finding.severity, finding.status) == ("RDN-SUP-004", Severity.HIGH, "open")


def test_unlisted_and_unread_are_inconclusive(tmp_path):
    _, (unlisted,), _ = said(written(tmp_path, "m.pkl", b"\x80\x02cmylib\nNet\n)\x81."))
    assert (unlisted.rule, unlisted.status) == ("RDN-SUP-003", "inconclusive")
    _, (unread,), _ = said(written(tmp_path, "n.pkl", pickle.dumps(["a" * 50], 4)[:-5]))
    assert (unread.rule, unread.status) == ("RDN-SUP-005", "inconclusive")


@pytest.mark.parametrize(
    ("kind", "verdict", "rule"),
    [
        ("path-traversal", "unsafe", "RDN-SUP-004"),
        ("denied-import", "unsafe", "RDN-SUP-002"),
        ("unlisted-call", "unsafe", "RDN-SUP-002"),
        ("unlisted-call", "unknown", "RDN-SUP-003"),
        ("unlisted-import", "unknown", "RDN-SUP-003"),
        ("limit", "unknown", "RDN-SUP-005"),
        ("anything-new", "unknown", "RDN-SUP-005"),
        ("anything-new", "unsafe", "RDN-SUP-002"),
    ],
)
def test_every_reason_has_a_rule(kind, verdict, rule):
    assert rule_of(Reason(kind=kind, verdict=verdict, message="m")).id == rule


def test_prose_and_code_are_listed_as_not_examined(tmp_path):
    for name, content in {"README.md": b"# A model\n\nSome words.\n", "train.py": b"import os\n"}.items():
        artifacts, findings, (skipped,) = said(written(tmp_path, name, content))
        assert (artifacts, findings) == ([], [])
        assert skipped.why.endswith("no model artifact")


def test_link_to_nothing_is_not_examined(tmp_path):
    (tmp_path / "gone.pkl").symlink_to(tmp_path / "nowhere")
    _, _, (skipped,) = said(tmp_path / "gone.pkl")
    assert skipped.why == "no regular file"


def test_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    _, _, (skipped,) = said(tmp_path / "pipe.pkl")
    assert skipped.why == "no regular file"


def test_unreadable_file_is_unknown(tmp_path):
    path = written(tmp_path, "m.pkl", BAD)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    (artifact,), (finding,), _ = said(path)
    assert (artifact.verdict, finding.status) == ("unknown", "inconclusive")


def test_walk_is_sorted_and_passes_tool_folders(tmp_path):
    for name in ("b/2.pkl", "b/1.pkl", "a.pkl", ".git/x.pkl", "__pycache__/y.pkl", ".venv/z.pkl", "c/.hidden.pkl"):
        written(tmp_path, name, b"N.")
    found = [shown for _, shown in FilesSubject(tmp_path).files()]
    assert found == ["a.pkl", "b/1.pkl", "b/2.pkl", "c/.hidden.pkl"]


def test_walk_does_not_follow_linked_folders(tmp_path):
    written(tmp_path, "outside/x.pkl", b"N.")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "inside" / "loop").symlink_to(tmp_path / "inside")
    assert [shown for _, shown in FilesSubject(tmp_path / "inside").files()] == ["link", "loop"]


def test_walk_of_one_file_and_of_none(tmp_path):
    path = written(tmp_path, "m.pkl", b"N.")
    assert FilesSubject(path).files() == ((path, "m.pkl"),)
    with pytest.raises(Unreadable, match="does not exist"):
        FilesSubject(tmp_path / "no").files()
