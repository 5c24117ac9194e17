"""Files are digested, never loaded, and need neither numpy nor torch."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from redan.core.errors import Unreadable
from redan.core.subject import Files
from redan.subjects.files import open_files


def test_a_folder_has_one_component_for_each_file(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.bin").write_bytes(b"two")
    (tmp_path / "one.bin").write_bytes(b"one")
    (tmp_path / "link").symlink_to(tmp_path / "one.bin")
    files = open_files(tmp_path)
    assert isinstance(files, Files)
    assert files.capabilities == {"bytes"}
    assert [part.sha256 for part in files.ref.components] == [sha256(text).hexdigest() for text in (b"two", b"one")]
    assert files.ref.name == tmp_path.name
    before = files.ref.digest
    (tmp_path / "one.bin").write_bytes(b"ONE")
    assert open_files(tmp_path).ref.digest != before


def test_a_single_file(tmp_path):
    path = tmp_path / "one.bin"
    path.write_bytes(b"x" * (3 << 20))
    ref = open_files(path, name="mine").ref
    assert ref.name == "mine"
    assert ref.components[0].size_bytes == 3 << 20


def test_paths_in_reports_are_relative(tmp_path, monkeypatch):
    (tmp_path / "one.bin").write_bytes(b"one")
    monkeypatch.chdir(tmp_path)
    assert open_files(Path("one.bin")).ref.components[0].uri == "one.bin"
    assert str(tmp_path) not in str(open_files(tmp_path).ref)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_does_not_hide_the_others(tmp_path):
    (tmp_path / "closed").write_bytes(b"x")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "open").write_bytes(b"x")
    assert [bool(part.sha256) for part in open_files(tmp_path).ref.components] == [False, True]


def test_what_is_not_there(tmp_path):
    with pytest.raises(Unreadable, match="nothing at"):
        open_files(tmp_path / "gone")


def test_no_framework_is_imported():
    code = (
        "import sys; import redan.subjects.files, redan.subjects.digests, redan.subjects.gate, redan.subjects.open\n"
        "heavy = {'numpy', 'torch', 'rich', 'sklearn', 'transformers', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
